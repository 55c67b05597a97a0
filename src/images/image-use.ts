/** Images, or builds, that a run under way is about to use: closes the gap between their lookup and the microVM's row. */
export class ImageUse {
  readonly #byImage = new Map<string, number>();

  /** Call before the image is looked up; dispose once the microVM is on record. */
  begin(imageArn: string): Disposable {
    this.#byImage.set(imageArn, this.count(imageArn) + 1);
    return { [Symbol.dispose]: () => this.#end(imageArn) };
  }

  count(imageArn: string): number {
    return this.#byImage.get(imageArn) ?? 0;
  }

  get isAny(): boolean {
    return this.#byImage.size > 0;
  }

  #end(imageArn: string): void {
    const left = this.count(imageArn) - 1;
    if (left > 0) this.#byImage.set(imageArn, left);
    else this.#byImage.delete(imageArn);
  }
}
