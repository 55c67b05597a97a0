/** A request that its schema cannot read; each protocol answers it with its own client error. */
export class MalformedInput extends Error {
  override readonly name = "MalformedInput";
}
