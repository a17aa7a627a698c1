/** A model by name; without a version (absent or empty) the highest one. */
export interface ModelReference {
  readonly model: string;
  readonly version?: string | undefined;
}
