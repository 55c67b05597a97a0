import { InvalidPattern } from "./invalid-pattern.ts";

type Condition = (value: unknown) => boolean;

const TOKEN =
  /\s*(?:(&&|\|\||[(){}]|!=|<=|>=|=|<|>)|"((?:[^"\\]|\\.)*)"|(\$(?:\.[\w-]+|\[\d+\]|\['[^']+'\])*)|([\w.*+-]+))/y;
const STEP = /\.([\w-]+)|\[(\d+)\]|\['([^']+)'\]/g;
const MAX_TOKENS = 500;

interface Token {
  readonly kind: "sign" | "text" | "selector" | "word";
  readonly text: string;
}

/** `{ $.level = "ERROR" && ($.status >= 500 || $.user NOT EXISTS) }`: a condition on messages that are JSON. */
export function parseJsonPattern(pattern: string): (message: string) => boolean {
  const tokens = tokenize(pattern);
  if (tokens[0]?.text !== "{" || tokens.at(-1)?.text !== "}") throw new InvalidPattern("a JSON condition ends in }");
  const reader = new Reader(tokens.slice(1, -1));
  const condition = reader.either();
  reader.end();
  return (message) => {
    try {
      return condition(JSON.parse(message));
    } catch {
      return false; // not JSON, so it does not match
    }
  };
}

function tokenize(pattern: string): Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  for (let at = 0; at < pattern.length; at = TOKEN.lastIndex) {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(pattern);
    if (match === null || tokens.length > MAX_TOKENS)
      throw new InvalidPattern(`it cannot be read from character ${at + 1} on`);
    const [, sign, text, selector, word] = match;
    if (sign !== undefined) tokens.push({ kind: "sign", text: sign });
    else if (text !== undefined) tokens.push({ kind: "text", text: text.replaceAll(/\\(.)/g, "$1") });
    else if (selector !== undefined) tokens.push({ kind: "selector", text: selector });
    else tokens.push({ kind: "word", text: word ?? "" });
  }
  return tokens;
}

class Reader {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  either(): Condition {
    const parts = [this.#all()];
    while (this.#skip("||")) parts.push(this.#all());
    return (value) => parts.some((part) => part(value));
  }

  end(): void {
    const extra = this.#tokens[this.#at];
    if (extra !== undefined) throw new InvalidPattern(`${extra.text} is not expected there`);
  }

  #all(): Condition {
    const parts = [this.#one()];
    while (this.#skip("&&")) parts.push(this.#one());
    return (value) => parts.every((part) => part(value));
  }

  #one(): Condition {
    if (this.#skip("(")) {
      const inner = this.either();
      if (!this.#skip(")")) throw new InvalidPattern("a ) is missing");
      return inner;
    }
    const selector = this.#next();
    if (selector.kind !== "selector")
      throw new InvalidPattern(`a selector such as $.name is expected, not ${selector.text}`);
    const steps = [...selector.text.matchAll(STEP)].map(([, name, index, quoted]) => name ?? index ?? quoted ?? "");
    const test = this.#test();
    return (value) => test(select(value, steps));
  }

  #test(): Condition {
    const operator = this.#next().text;
    if (operator === "NOT" && this.#next().text === "EXISTS") return (value) => value === undefined;
    if (operator === "IS") {
      const wanted = { TRUE: true, FALSE: false, NULL: null }[this.#next().text.toUpperCase()];
      if (wanted === undefined) throw new InvalidPattern("IS is followed by TRUE, FALSE or NULL");
      return (value) => value === wanted;
    }
    return compare(operator, this.#next());
  }

  #skip(sign: string): boolean {
    const token = this.#tokens[this.#at];
    const isThere = token?.kind === "sign" && token.text === sign;
    if (isThere) this.#at++;
    return isThere;
  }

  #next(): Token {
    const token = this.#tokens[this.#at++];
    if (token === undefined) throw new InvalidPattern("it ends too early");
    return token;
  }
}

function select(value: unknown, steps: readonly string[]): unknown {
  let found = value;
  for (const step of steps) {
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, step)) return undefined;
    found = (found as Record<string, unknown>)[step];
  }
  return found;
}

const ORDER: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  "<": (a, b) => a < b,
  ">": (a, b) => a > b,
  "<=": (a, b) => a <= b,
  ">=": (a, b) => a >= b,
};

function compare(operator: string, { kind, text }: Token): Condition {
  const number = kind === "word" && text !== "" ? Number(text) : Number.NaN;
  const order = ORDER[operator];
  if (order !== undefined) {
    if (Number.isNaN(number)) throw new InvalidPattern(`${operator} compares numbers, and ${text} is none`);
    return (value) => typeof value === "number" && order(value, number);
  }
  if (operator !== "=" && operator !== "!=") throw new InvalidPattern(`${operator} is no comparison`);
  const isEqual: Condition = Number.isNaN(number) ? matches(text) : (value) => value === number;
  // What is not there is unequal to nothing, as at the service.
  return operator === "=" ? isEqual : (value) => value !== undefined && !isEqual(value);
}

/** A text in which * stands for anything. */
function matches(pattern: string): Condition {
  const [first = "", ...rest] = pattern.split("*");
  const last = rest.pop();
  return (value) => {
    if (typeof value !== "string") return false;
    if (last === undefined) return value === first;
    let at = first.length;
    if (!value.startsWith(first)) return false;
    for (const part of rest) {
      const found = value.indexOf(part, at);
      if (found === -1) return false;
      at = found + part.length;
    }
    return value.length - last.length >= at && value.endsWith(last);
  };
}
