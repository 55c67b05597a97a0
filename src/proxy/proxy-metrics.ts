import type { RefusalKind } from "./refusal.ts";

const TTFB_BOUNDS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] as const;
/** MicroVMs counted one by one; the one that was counted first is forgotten for another. */
const MAX_MICROVMS = 2000;

/** What became of one exchange. */
export interface ExchangeFacts {
  readonly microvmId: string | undefined;
  readonly version: string;
  /** 0 when the client was gone before an answer. */
  readonly status: number;
  readonly refused: RefusalKind | undefined;
  readonly received: number;
  readonly sent: number;
  /** Until the head of the answer; undefined when there was none. */
  readonly firstByteMs: number | undefined;
}

interface MicrovmCounts {
  requests: number;
  received: number;
  sent: number;
  wakes: number;
}

/** Counts of the endpoint proxy, and their page for Prometheus (text format 0.0.4). */
export class ProxyMetrics {
  /** By version, then by the first digit of the status. */
  readonly #requests = new Map<string, Map<number, number>>();
  readonly #refusals = new Map<string, number>();
  readonly #microvms = new Map<string, MicrovmCounts>();
  readonly #firstByteBuckets: number[] = TTFB_BOUNDS_SECONDS.map(() => 0);
  #firstByteSum = 0;
  #firstByteCount = 0;
  #received = 0;
  #sent = 0;
  #wakes = 0;
  #open = 0;

  onBegin(): void {
    this.#open++;
  }

  onEnd({ microvmId, version, status, refused, received, sent, firstByteMs }: ExchangeFacts): void {
    this.#open--;
    this.#received += received;
    this.#sent += sent;
    this.#countAnswer(version, Math.floor(status / 100));
    if (refused !== undefined) increment(this.#refusals, `reason="${refused}"`);
    if (firstByteMs !== undefined && refused === undefined) this.#onFirstByte(firstByteMs / 1000);
    if (microvmId === undefined) return;
    const counts = this.#countsOf(microvmId);
    counts.requests++;
    counts.received += received;
    counts.sent += sent;
  }

  onWake(microvmId: string): void {
    this.#wakes++;
    this.#countsOf(microvmId).wakes++;
  }

  /** Metric names and labels are part of docs/compatibility.md. */
  render(): string {
    const lines: string[] = [];
    const family = (name: string, type: string, samples: Iterable<readonly [labels: string, value: number]>): void => {
      lines.push(`# TYPE catnap_proxy_${name} ${type}`);
      for (const [labels, value] of samples) lines.push(`catnap_proxy_${name}${labels && `{${labels}}`} ${value}`);
    };
    family("requests_total", "counter", this.#requestSamples());
    family("refusals_total", "counter", this.#refusals);
    family("bytes_total", "counter", [
      ['direction="received"', this.#received],
      ['direction="sent"', this.#sent],
    ]);
    family("wakes_total", "counter", [["", this.#wakes]]);
    family("open_exchanges", "gauge", [["", this.#open]]);
    this.#renderFirstByte(lines);
    const each = (read: (counts: MicrovmCounts) => number): [string, number][] =>
      [...this.#microvms].map(([id, counts]) => [`microvm_id="${id}"`, read(counts)]);
    family(
      "microvm_requests_total",
      "counter",
      each((counts) => counts.requests),
    );
    family(
      "microvm_received_bytes_total",
      "counter",
      each((counts) => counts.received),
    );
    family(
      "microvm_sent_bytes_total",
      "counter",
      each((counts) => counts.sent),
    );
    family(
      "microvm_wakes_total",
      "counter",
      each((counts) => counts.wakes),
    );
    return `${lines.join("\n")}\n`;
  }

  #countAnswer(version: string, digit: number): void {
    const counts = this.#requests.get(version) ?? new Map<number, number>();
    if (counts.size === 0) this.#requests.set(version, counts);
    counts.set(digit, (counts.get(digit) ?? 0) + 1);
  }

  #requestSamples(): [string, number][] {
    return [...this.#requests].flatMap(([version, counts]) =>
      [...counts].map(([digit, count]): [string, number] => [
        `version="${version}",code="${digit === 0 ? "none" : `${digit}xx`}"`,
        count,
      ]),
    );
  }

  #onFirstByte(seconds: number): void {
    this.#firstByteCount++;
    this.#firstByteSum += seconds;
    const at = TTFB_BOUNDS_SECONDS.findIndex((bound) => seconds <= bound);
    if (at >= 0) this.#firstByteBuckets[at] = (this.#firstByteBuckets[at] ?? 0) + 1;
  }

  #renderFirstByte(lines: string[]): void {
    const name = "catnap_proxy_first_byte_seconds";
    lines.push(`# TYPE ${name} histogram`);
    let below = 0;
    for (const [i, bound] of TTFB_BOUNDS_SECONDS.entries()) {
      below += this.#firstByteBuckets[i] ?? 0;
      lines.push(`${name}_bucket{le="${bound}"} ${below}`);
    }
    lines.push(`${name}_bucket{le="+Inf"} ${this.#firstByteCount}`);
    lines.push(`${name}_sum ${this.#firstByteSum}`, `${name}_count ${this.#firstByteCount}`);
  }

  #countsOf(microvmId: string): MicrovmCounts {
    const known = this.#microvms.get(microvmId);
    if (known) return known;
    const counts = { requests: 0, received: 0, sent: 0, wakes: 0 };
    this.#microvms.set(microvmId, counts);
    const oldest = this.#microvms.keys().next().value;
    if (this.#microvms.size > MAX_MICROVMS && oldest !== undefined) this.#microvms.delete(oldest);
    return counts;
  }
}

function increment(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
