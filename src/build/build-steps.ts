/** Follows what buildah prints: which step runs, and what it said last. */
export class StepFollower {
  #step = "";
  #said = "";
  #error = "";

  line(text: string): void {
    const line = printable(text);
    if (/^(?:\[\d+\/\d+\] )?STEP \d+\/\d+: /.test(line)) {
      this.#step = line;
      this.#said = "";
    } else if (line.startsWith("Error: ")) this.#error = line.slice("Error: ".length);
    else if (line.trim() !== "" && !NOISE.test(line)) this.#said = line.trim();
  }

  /** The failed step, how it ended and its last words: what users miss most in "The container image build failed." */
  describeFailure(context: string): string {
    const head = `building at STEP "${this.#step.replace(/^.*?STEP \d+\/\d+: /, "")}": `;
    const how = this.#error.startsWith(head) ? this.#error.slice(head.length) : this.#error;
    const ending = how.replaceAll(context, "").replace(/^while running runtime: /, "");
    const unreachable = UNREACHABLE.test(ending) ? unreachableAdvice(ending) : "";
    const parts = [
      cut(this.#step, MAX_STEP_CHARACTERS),
      unreachable,
      cut(ending, MAX_PART_CHARACTERS),
      cut(this.#said, MAX_PART_CHARACTERS),
    ];
    return parts.filter((part) => part !== "").join(": ");
  }
}

const MAX_STEP_CHARACTERS = 250;
const MAX_PART_CHARACTERS = 300;

/** Buildah's own remarks around a step's output. */
const NOISE =
  /^(?:--> |COMMIT |subprocess exited|exit status \d|error building |time="|Trying to pull |Getting image source |Copying (?:blob|config) |Writing manifest |Storing signatures)/;

const UNREACHABLE =
  /pinging container registry|initializing source|dial tcp|no such host|i\/o timeout|short-name .* did not resolve/i;

function unreachableAdvice(error: string): string {
  const name = /docker:\/\/([^\s"]+?):? /.exec(`${error} `)?.[1];
  return `the base image${name === undefined ? "" : ` ${name}`} could not be pulled; where its registry is out of reach, CATNAP_BASE_IMAGES maps it to another source`;
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}

/** What a build prints ends up in an API answer: no escape sequences, no control characters. */
function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- the point is to remove them
  return text.replace(/\u001b\[[0-9;?]*[A-Za-z]/g, "").replace(/[\u0000-\u001f\u007f]+/g, " ");
}
