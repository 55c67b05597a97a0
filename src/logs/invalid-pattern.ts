/** A filter pattern that cannot be used; the message says what is wrong with it. */
export class InvalidPattern extends Error {
  override readonly name = "InvalidPattern";
}
