/**
 * Owns what can be done to the node from the page: dial, disconnect, ban, unban. Each asks first. Browser.
 */
import type { PeerInfo } from '../../api.js';
import { byId, setTextOf } from './element.js';
import { counted, dateAndTime } from './format.js';
import { type BanRequest, nodeClient } from './node-client.js';
import { hostOf } from './peer-order.js';
import { Question } from './question.js';

export interface ActionsOptions {
  /** The peers as they were shown last. */
  readonly peers: () => readonly PeerInfo[];
  /** Something was changed: what is shown may be old. */
  readonly done: () => void;
}

export class Actions {
  readonly #options: ActionsOptions;
  readonly #dial = new Question('dial-dialog');
  readonly #disconnect = new Question('disconnect-dialog');
  readonly #ban = new Question('ban-dialog');
  readonly #unban = new Question('unban-dialog');
  readonly #address = byId('dial-address', HTMLInputElement);
  readonly #target = byId('ban-target', HTMLInputElement);
  readonly #which = byId('ban-which', HTMLSelectElement);
  readonly #time = byId('ban-time', HTMLSelectElement);
  readonly #ownTime = byId('ban-own-time', HTMLInputElement);
  readonly #reason = byId('ban-reason', HTMLInputElement);

  constructor(options: ActionsOptions) {
    this.#options = options;
    this.#which.addEventListener('change', () => {
      this.#target.value = this.#which.value;
      this.#showReach();
    });
    this.#target.addEventListener('input', () => this.#showReach());
    this.#time.addEventListener('change', () => this.#showOwnTime());
  }

  /** @param address to begin with */
  dial(address = ''): void {
    this.#address.value = address;
    this.#dial.ask(async () => {
      const peer = await nodeClient.dial(this.#address.value.trim());
      this.#options.done();
      return `Connected to ${peer.id} at ${peer.address}.`;
    });
  }

  disconnect({ id, address }: PeerInfo): void {
    setTextOf('disconnect-id', id);
    setTextOf('disconnect-address', address);
    this.#disconnect.ask(async () => {
      await nodeClient.disconnect(id);
      this.#options.done();
      return `Disconnected ${id}.`;
    });
  }

  /** @param peer whom it is about; without one the target is typed */
  ban(peer?: PeerInfo): void {
    const host = peer === undefined ? '' : hostOf(peer.address);
    this.#ban.form.reset();
    this.#target.value = host;
    byId('ban-which-field', HTMLElement).hidden = peer === undefined;
    byId('ban-target-field', HTMLElement).hidden = peer !== undefined;
    if (peer !== undefined) {
      this.#which.replaceChildren(
        new Option(`its address, ${host}`, host),
        new Option(`its node ID, ${peer.id}`, `id:${peer.id}`),
      );
    }
    this.#showOwnTime();
    this.#showReach();
    this.#ban.ask(async () => {
      const ban = await nodeClient.ban(this.#banRequest());
      this.#options.done();
      return `Banned ${ban.target} ${ban.until === null ? 'for good' : `until ${dateAndTime(ban.until)}`}.`;
    });
  }

  unban(target: string): void {
    setTextOf('unban-target', target);
    this.#unban.ask(async () => {
      await nodeClient.unban(target);
      this.#options.done();
      return `${target} is banned no more.`;
    });
  }

  #banRequest(): BanRequest {
    const time = this.#time.value === 'own' ? this.#ownTime.value.trim() : this.#time.value;
    const reason = this.#reason.value.trim();
    return {
      target: this.#target.value.trim(),
      ...(time === '' ? {} : { for: time }),
      ...(reason === '' ? {} : { reason }),
    };
  }

  #showOwnTime(): void {
    const isOwn = this.#time.value === 'own';
    byId('ban-own-time-field', HTMLElement).hidden = !isOwn;
    this.#ownTime.required = isOwn;
  }

  /** Whom a ban would cut off at once, as far as the page can tell: ranges are the node's to compare. */
  #showReach(): void {
    const target = this.#target.value.trim();
    const reached = this.#options
      .peers()
      .filter(({ id, address }) => target === `id:${id}` || target === hostOf(address));
    const text = reached.length === 0 ? '' : `This cuts off ${counted(reached.length, 'connected peer')}.`;
    setTextOf('ban-reach', target.includes('/') ? 'This cuts off every peer within the range.' : text);
  }
}
