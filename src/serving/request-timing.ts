/** Where the time of one request went, filled in while it is served. All in ms. */
export class RequestTiming {
  queue = 0;
  preprocess = 0;
  infer = 0;
  postprocess = 0;
  /** Rows of the batch that the request travelled in; 0: nothing was run. */
  batchSize = 0;

  /** Of a request that runs several times at once, the longest of each part counts. */
  ran(queue: number, preprocess: number, infer: number, batchSize: number): void {
    this.queue = Math.max(this.queue, queue);
    this.preprocess = Math.max(this.preprocess, preprocess);
    this.infer = Math.max(this.infer, infer);
    this.batchSize = Math.max(this.batchSize, batchSize);
  }

  postprocessed(ms: number): void {
    this.postprocess = Math.max(this.postprocess, ms);
  }
}
