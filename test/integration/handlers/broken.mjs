export default { tx: { mode: 'sideways', handler: () => undefined } };
