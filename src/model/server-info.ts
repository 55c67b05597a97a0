/** `$CATNAP_HOME/server.json`: what the command line needs to know of a running server. */
export interface ServerInfo {
  readonly pid: number;
  readonly apiUrl: string;
  readonly endpointPort: number;
  readonly region: string;
  readonly accountId: string;
  readonly domain: string;
  readonly caBundle: string;
  readonly credentials: string;
  readonly acceleration: string;
  /** Images that it has snapshotted again since it started, because the engine of the host has changed. */
  readonly renewing: number;
  /** MicroVMs that go on with the engine they were started with, which is another one. */
  readonly onFormerEngines: number;
}
