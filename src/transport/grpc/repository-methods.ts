import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import type { ModelIndexEntry } from '../../serving/model-control.js';
import { refuseLoadParameters, refuseRepositoryName } from '../repository-request.js';
import { type GrpcContext, unary } from './unary.js';

interface RepositoryRequest {
  readonly repository_name: string;
}

interface IndexRequest extends RepositoryRequest {
  readonly ready: boolean;
}

interface ModelRequest extends RepositoryRequest {
  readonly model_name: string;
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** The model repository extension. */
export function repositoryMethods(context: GrpcContext): UntypedServiceImplementation {
  const { models } = context;
  return {
    RepositoryIndex: unary<IndexRequest, { models: ModelIndexEntry[] }>(
      async ({ repository_name, ready }) => {
        refuseRepositoryName(repository_name);
        return { models: await models.index({ readyOnly: ready }) };
      },
      context,
    ),
    RepositoryModelLoad: unary<ModelRequest, object>(
      async ({ repository_name, model_name, parameters }) => {
        refuseRepositoryName(repository_name);
        refuseLoadParameters(parameters);
        await models.load(model_name);
        return {};
      },
      context,
    ),
    RepositoryModelUnload: unary<ModelRequest, object>(async ({ repository_name, model_name }) => {
      refuseRepositoryName(repository_name);
      await models.unload(model_name);
      return {};
    }, context),
  };
}
