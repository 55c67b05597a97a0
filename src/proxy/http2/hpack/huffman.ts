/**
 * How many bits the code of each byte has (RFC 7541, appendix B). The code is canonical: shorter codes first, those of one
 * length in the order of their bytes; so the lengths say it all.
 */
const CODE_LENGTHS: readonly number[] = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
  28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6,
  5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23,
  22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22,
  23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26,
  20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27,
  27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27,
  27, 27, 27, 26,
];
/** The end of the string, which is never sent; its beginning fills the last byte. */
const END = 256;
const END_LENGTH = 30;
const MAX_FILL_BITS = 7;

/** Steps of half a byte through the tree of codes: where each leads, and the byte that is complete on the way, if any. */
interface Decoder {
  readonly next: Uint8Array;
  /** -1: none; `END`: an error. */
  readonly symbols: Int16Array;
  /** Whether a string may end in this place: within the beginning of `END`, less than a byte of it. */
  readonly mayEnd: readonly boolean[];
}

/** A node's branches for 0 and 1: another node, or a leaf as -1 - symbol. */
type Node = [number, number];

const decoder = createDecoder(createTree());

/** Decodes the bytes from `start` to `end`, a character for each; undefined when they are not what the code allows. */
export function decodeHuffman(bytes: Buffer, start: number, end: number): string | undefined {
  const { next, symbols, mayEnd } = decoder;
  const text = Buffer.allocUnsafe((end - start) * 2); // no code is shorter than 5 bits
  let length = 0;
  let node = 0;
  for (let at = 2 * start; at < 2 * end; at++) {
    const byte = bytes[at >> 1] ?? 0;
    const step = node * 16 + (at % 2 === 0 ? byte >> 4 : byte & 15);
    const symbol = symbols[step] ?? END;
    if (symbol === END) return undefined;
    if (symbol >= 0) text[length++] = symbol;
    node = next[step] ?? 0;
  }
  return mayEnd[node] === true ? text.toString("latin1", 0, length) : undefined;
}

function createTree(): Node[] {
  const tree: Node[] = [[0, 0]];
  const codes = [...CODE_LENGTHS, END_LENGTH]
    .map((length, symbol) => ({ length, symbol }))
    .toSorted((a, b) => a.length - b.length || a.symbol - b.symbol);
  let code = 0;
  let before = 0;
  for (const { length, symbol } of codes) {
    code *= 2 ** (length - before);
    before = length;
    plant(tree, code, length, symbol);
    code++;
  }
  return tree;
}

function plant(tree: Node[], code: number, length: number, symbol: number): void {
  let node = 0;
  for (let bit = length - 1; bit > 0; bit--) {
    const branch = (code >>> bit) & 1;
    const known = tree[node]?.[branch] ?? 0;
    const child = known === 0 ? tree.push([0, 0]) - 1 : known;
    if (known === 0) setBranch(tree, node, branch, child);
    node = child;
  }
  setBranch(tree, node, code & 1, -1 - symbol);
}

function setBranch(tree: readonly Node[], node: number, branch: number, to: number): void {
  const branches = tree[node];
  if (branches) branches[branch as 0 | 1] = to;
}

function createDecoder(tree: readonly Node[]): Decoder {
  const next = new Uint8Array(tree.length * 16);
  const symbols = new Int16Array(tree.length * 16).fill(-1);
  for (let node = 0; node < tree.length; node++) {
    for (let half = 0; half < 16; half++) {
      let at = node;
      for (let bit = 3; bit >= 0; bit--) {
        const to = tree[at]?.[((half >> bit) & 1) as 0 | 1] ?? 0;
        if (to < 0) symbols[node * 16 + half] = -1 - to;
        at = Math.max(0, to);
      }
      next[node * 16 + half] = at;
    }
  }
  return { next, symbols, mayEnd: fillNodes(tree) };
}

/** The root, and what is reached by ones alone with less than a byte of them. */
function fillNodes(tree: readonly Node[]): boolean[] {
  const mayEnd = tree.map(() => false);
  for (let node = 0, bits = 0; bits <= MAX_FILL_BITS; bits++) {
    mayEnd[node] = true;
    node = tree[node]?.[1] ?? 0;
  }
  return mayEnd;
}
