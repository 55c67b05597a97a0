/** `$CATNAP_HOME/engines.json`: what depends on which engine, for the command line. */
export interface EngineReport {
  /** Fingerprint of the engine that this server makes snapshots with. */
  readonly engine: string;
  /** The files of the host that it was made of, as they were. */
  readonly hostFiles: readonly { readonly path: string; readonly bytes: number; readonly modifiedMs: number }[];
  /** By fingerprint. */
  readonly uses: Readonly<Record<string, { readonly images: number; readonly microvms: number }>>;
}
