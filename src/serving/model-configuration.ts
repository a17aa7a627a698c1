import type { TensorSpec } from '../runtime/session.js';
import type { Servable } from './servable.js';

interface ConfiguredTensor {
  readonly name: string;
  /** `TYPE_` and the datatype; BYTES is `TYPE_STRING`. */
  readonly data_type: string;
  /** Without the batch. */
  readonly dims: readonly number[];
}

/**
 * `ModelConfig` of the Open Inference Protocol's model configuration extension: those of its fields that say something
 * of a model here, the same on both transports.
 */
export interface ModelConfiguration {
  readonly name: string;
  readonly platform: string;
  readonly backend: string;
  readonly version_policy: object;
  readonly max_batch_size: number;
  readonly input: readonly (ConfiguredTensor & { readonly format: string })[];
  readonly output: readonly (ConfiguredTensor & { readonly label_filename: string })[];
  readonly instance_group: readonly object[];
  readonly default_model_filename: string;
  readonly dynamic_batching: object;
  readonly model_transaction_policy: { readonly decoupled: boolean };
}

export function modelConfiguration(servable: Servable): ModelConfiguration {
  const { definition, policy } = servable;
  const { name, config } = definition;
  return {
    name,
    platform: 'onnxruntime_onnx',
    backend: 'onnxruntime',
    version_policy: versionPolicy(config.versions),
    max_batch_size: servable.maxBatchSize,
    input: servable.inputs.map((spec) => {
      const format = spec === servable.imageInput ? `FORMAT_${config.input.layout}` : 'FORMAT_NONE';
      return { ...configured(spec), format };
    }),
    output: servable.outputs.map((spec) => {
      const hasLabels = servable.classLabels(spec.name).length > 0;
      return { ...configured(spec), label_filename: hasLabels ? (config.labels ?? '') : '' };
    }),
    instance_group: [{ name, kind: 'KIND_CPU', count: config.instances }],
    default_model_filename: 'model.onnx',
    dynamic_batching: {
      preferred_batch_size: policy.preferredBatchSizes ?? [],
      max_queue_delay_microseconds: Math.round(policy.maxQueueDelayMs * 1000),
      priority_levels: policy.priorityLevels ?? 1,
      default_priority_level: policy.defaultPriority ?? policy.priorityLevels ?? 1,
      default_queue_policy: {
        timeout_action: 'REJECT',
        default_timeout_microseconds: Math.round((policy.defaultTimeoutMs ?? 0) * 1000),
        allow_timeout_override: true,
        max_queue_size: policy.queueCapacity,
      },
    },
    model_transaction_policy: { decoupled: false },
  };
}

const configured = ({ name, datatype, shape }: TensorSpec): ConfiguredTensor => ({
  name,
  data_type: datatype === 'BYTES' ? 'TYPE_STRING' : `TYPE_${datatype}`,
  dims: shape.slice(1),
});

function versionPolicy(policy: Servable['definition']['config']['versions']): object {
  switch (policy.policy) {
    case 'latest':
      return { latest: { num_versions: policy.count } };
    case 'all':
      return { all: {} };
    case 'specific':
      return { specific: { versions: policy.versions } };
  }
}
