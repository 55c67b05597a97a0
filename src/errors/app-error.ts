import { ERROR_CATALOGUE, type ErrorCode, type Fault } from "./catalogue.ts";

export interface AppErrorOptions {
  readonly cause?: unknown;
  /** Replaces the catalogue's wording; says what happened, why, and what to do. */
  readonly message?: string;
  /** Values for the log; never secrets. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** The one root of every error this project throws. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly fault: Fault;
  readonly retryable: boolean;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, options: AppErrorOptions = {}) {
    super(options.message ?? ERROR_CATALOGUE[code].message, { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.fault = ERROR_CATALOGUE[code].fault;
    this.retryable = ERROR_CATALOGUE[code].retryable;
    this.details = options.details ?? {};
  }
}
