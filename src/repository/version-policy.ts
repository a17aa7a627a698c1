import { z } from 'zod';

/** Which versions of a model are served: the `count` highest, all, or those listed. */
export const versionPolicySchema = z.discriminatedUnion('policy', [
  z.strictObject({
    policy: z.literal('latest'),
    count: z.int().min(1).max(1000).default(1),
  }),
  z.strictObject({ policy: z.literal('all') }),
  z.strictObject({
    policy: z.literal('specific'),
    versions: z.array(z.int().min(1)).min(1).max(1000),
  }),
]);

export type VersionPolicy = z.infer<typeof versionPolicySchema>;

/** The versions that a policy means out of those that exist; `ascending` and the result are in ascending order. */
export function selectVersions(
  policy: VersionPolicy,
  ascending: readonly string[],
): readonly string[] {
  switch (policy.policy) {
    case 'latest':
      return ascending.slice(-policy.count);
    case 'all':
      return ascending;
    case 'specific':
      return ascending.filter((version) => policy.versions.includes(Number(version)));
  }
}
