import type { TemplateFiles } from "../engine/engine.ts";
import type { ContainerConfig } from "../model/container.ts";
import type { EgressPolicy } from "../model/egress-policy.ts";
import type { HookSettings } from "../model/hooks.ts";

export interface BuildRequest {
  readonly buildId: string;
  readonly imageName: string;
  readonly imageArn: string;
  readonly imageVersion: string;
  readonly accountId: string;
  readonly region: string;
  readonly artifactUri: string;
  readonly buildRoleArn: string;
  /** Gets every line that the build log gets. */
  readonly onLine?: (line: string) => void;
  /** Its first line. */
  readonly preface?: string | undefined;
  readonly memoryMiB: number;
  readonly environment: Readonly<Record<string, string>>;
  readonly allCapabilities: boolean;
  /** Architectures that the image asks for; it is built for the host's whatever they are. */
  readonly architectures: readonly string[];
  /** The enabled ones. */
  readonly hooks?: HookSettings | undefined;
  /** Of the machines that the build starts; the steps of the Dockerfile have the host's network. */
  readonly egress: EgressPolicy;
  /** Where the template's files go. */
  readonly directory: string;
  /** Kept also when the build fails; lines are added at its end. */
  readonly logFile: string;
}

/** A built image: what RunMicrovm needs; stored as `template_json`. */
export interface BuiltImage {
  readonly template: TemplateFiles;
  /** Its app does nothing until its guest is woken, so the guest may run before that. Images of before do not say. */
  readonly isFrozen?: boolean;
  /** Bytes of output that are the build's: a clone's own begins there. Images of before do not say. */
  readonly outputOffset?: number;
  readonly rootfs: string;
  readonly container: ContainerConfig;
  readonly hooks?: HookSettings | undefined;
}

/** contract 3.3, 3.8: `snapshotBuild` of GetMicrovmImageBuild. */
export interface SnapshotSizes {
  readonly memorySnapshotSizeInBytes?: number;
  readonly codeInstallSizeInBytes?: number;
  readonly diskSnapshotSizeInBytes?: number;
}

export interface BuildOutcome {
  readonly image: BuiltImage;
  readonly sizes: SnapshotSizes;
}

/** Throws BuildFailure; leaves nothing behind but the log when it fails. */
export interface ImageBuilder {
  /** Takes one build from artifact to template. */
  build(request: BuildRequest, signal: AbortSignal): Promise<BuildOutcome>;
  /** Makes a template anew from what a build kept: its root file system and its container's configuration. */
  renew(request: BuildRequest, image: BuiltImage, signal: AbortSignal): Promise<BuildOutcome>;
  /** Forgets what would make the next build of an image quick, unless it is one of these. Only while no build runs. */
  keepOnly(imageArns: readonly string[]): Promise<void>;
  /** Leaves nothing mounted. Only while no build runs. */
  close(): Promise<void>;
}
