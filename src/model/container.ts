/** What runs inside the guest: the image's OCI configuration, resolved (contract 9). */
export interface ContainerConfig {
  /** ENTRYPOINT followed by CMD; never empty. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly workingDir: string;
  /** USER as the image spells it ("", "1000", "app:app"); resolved by the guest against the image's own passwd. */
  readonly user: string;
  readonly exposedTcpPorts: readonly number[];
  /** Signal number for an orderly stop; 15 unless STOPSIGNAL says otherwise. */
  readonly stopSignal: number;
  /** All Linux capabilities instead of the container default (`additionalOsCapabilities: ["ALL"]`). */
  readonly allCapabilities: boolean;
}
