/**
 * Owns the records of the address book and finds them by key, by where they are and by node ID. At most one record is at
 * one IP address and port. Main thread.
 */
import { type AddressRecord, addressKeyOf, keyOf } from './address-record.js';

export class AddressIndex {
  readonly #records = new Map<string, AddressRecord>();
  readonly #keyAt = new Map<string, string>();
  readonly #keysOfId = new Map<string, Set<string>>();

  get size(): number {
    return this.#records.size;
  }

  get(key: string): AddressRecord | undefined {
    return this.#records.get(key);
  }

  /** Whoever is known to be there. */
  at(where: { readonly ip: string; readonly port: number }): AddressRecord | undefined {
    return this.#records.get(this.#keyAt.get(addressKeyOf(where)) ?? '');
  }

  ofId(id: string): AddressRecord[] {
    return [...(this.#keysOfId.get(id) ?? [])].map((key) => this.#records.get(key)!);
  }

  list(): AddressRecord[] {
    return [...this.#records.values()];
  }

  /** @throws Error if another is known to be there */
  put(record: AddressRecord): void {
    const key = keyOf(record);
    const where = addressKeyOf(record);
    const known = this.#keyAt.get(where);
    if (known !== undefined && known !== key) throw new Error(`'${key}' cannot be where '${known}' is`);
    this.#records.set(key, record);
    this.#keyAt.set(where, key);
    this.#keysOfId.set(record.id, (this.#keysOfId.get(record.id) ?? new Set()).add(key));
  }

  delete(record: AddressRecord): void {
    const key = keyOf(record);
    if (!this.#records.delete(key)) throw new Error(`'${key}' is not in the index`);
    this.#keyAt.delete(addressKeyOf(record));
    const keys = this.#keysOfId.get(record.id)!;
    keys.delete(key);
    if (keys.size === 0) this.#keysOfId.delete(record.id);
  }
}
