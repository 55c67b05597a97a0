import {
  SqliteAdapter,
  SqliteDialect,
  SqliteDriver,
  type DatabaseConnection,
  type Driver,
  type SqliteDatabase,
} from "kysely";

export interface GroupCommit {
  readonly database: SqliteDatabase;
  /** Whether anything was written since it was asked last. */
  takeWritten(): boolean;
  /** Resolves when all that was written before is on disk. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

/**
 * One connection, used in turns, whose user has to wait for the disk after the next one got its turn: commits that come
 * together reach the disk together, and nothing else of the server waits meanwhile.
 */
export class GroupCommitDialect extends SqliteDialect {
  readonly #commit: GroupCommit;

  constructor(commit: GroupCommit) {
    super({ database: commit.database });
    this.#commit = commit;
  }

  override createDriver(): Driver {
    return new GroupCommitDriver(this.#commit);
  }

  override createAdapter(): SqliteAdapter {
    return new TakingTurnsAdapter();
  }
}

/** The driver below keeps the order; kysely's own lock would be held while the disk is waited for. */
class TakingTurnsAdapter extends SqliteAdapter {
  override get supportsMultipleConnections(): boolean {
    return true;
  }
}

class GroupCommitDriver extends SqliteDriver {
  readonly #commit: GroupCommit;
  readonly #waiting: (() => void)[] = [];
  #isTaken = false;

  constructor(commit: GroupCommit) {
    super({ database: commit.database });
    this.#commit = commit;
  }

  override async acquireConnection(): Promise<DatabaseConnection> {
    if (this.#isTaken) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#isTaken = true;
    return super.acquireConnection();
  }

  override async releaseConnection(): Promise<void> {
    const wasWritten = this.#commit.takeWritten();
    const next = this.#waiting.shift();
    if (next === undefined) this.#isTaken = false;
    else next(); // it stays taken, so that nobody who comes now gets in between
    if (wasWritten) await this.#commit.flush();
  }

  override destroy(): Promise<void> {
    return this.#commit.close();
  }
}
