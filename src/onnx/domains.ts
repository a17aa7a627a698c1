/** The deployed operators of docs/op-spec.md. */
export const LCQ_DOMAIN = 'lcq';
/** The trainer's own quantizer nodes: they have gradients and never reach an exported file. */
export const TRAINING_DOMAIN = 'lcq.training';
