import { connectorSettings, REGION_PREFIX, type Input, type SmallWorld } from "../small-world.ts";

interface OperationInputs {
  /** Succeeds; may be sent by anybody who is allowed to. */
  readonly good: (world: SmallWorld) => Input;
  /** Names something that is not there. */
  readonly missing?: (world: SmallWorld) => Input;
  /** Breaks a constraint of its shape. */
  readonly bad: (world: SmallWorld) => Input;
}

const NO_IMAGE = `${REGION_PREFIX}:123456789012:microvm-image:none`;
const NO_MICROVM = { microvmIdentifier: "microvm-00000000-0000-3000-8000-000000000000" };
const TOO_LONG = "x".repeat(257);
const TOO_MANY = { maxResults: 51 };
const MANAGED = { imageIdentifier: `${REGION_PREFIX}:aws:microvm-image:al2023-1` };

/** An operation on one microVM, and what it takes besides. */
const ofMicrovm = (more: Input = {}): OperationInputs => ({
  good: ({ microvmId }) => ({ microvmIdentifier: microvmId, ...more }),
  missing: () => ({ ...NO_MICROVM, ...more }),
  bad: () => ({ microvmIdentifier: TOO_LONG, ...more }),
});

const ofImage = (more: Input = {}): OperationInputs => ({
  good: ({ imageArn }) => ({ imageIdentifier: imageArn, ...more }),
  missing: () => ({ imageIdentifier: NO_IMAGE, ...more }),
  bad: () => ({ imageIdentifier: TOO_LONG, ...more }),
});

const ofTags = (more: Input = {}): OperationInputs => ({
  good: ({ imageArn }) => ({ Resource: imageArn, ...more }),
  missing: () => ({ Resource: NO_IMAGE, ...more }),
  bad: () => ({ Resource: "no ARN", ...more }),
});

const ofConnector = (more: (world: SmallWorld) => Input = () => ({})): OperationInputs => ({
  good: (world) => ({ Identifier: "vpc", ...more(world) }),
  missing: (world) => ({ Identifier: "none", ...more(world) }),
  bad: (world) => ({ Identifier: "x".repeat(141), ...more(world) }),
});

const ofAll: OperationInputs = { good: () => ({}), bad: () => TOO_MANY };

const NO_CONNECTOR = [`${REGION_PREFIX}:123456789012:network-connector:nc-00000000-0000-4000-8000-000000000000`];

export const FAULT_INPUTS: Readonly<Record<string, OperationInputs>> = {
  CreateMicrovmImage: {
    good: ({ imageSettings }) => ({ name: "another", ...imageSettings }),
    missing: ({ imageSettings }) => ({ name: "third", ...imageSettings, egressNetworkConnectors: NO_CONNECTOR }),
    bad: ({ imageSettings }) => ({ name: "a b", ...imageSettings }),
  },
  UpdateMicrovmImage: {
    good: ({ imageArn, imageSettings }) => ({ imageIdentifier: imageArn, ...imageSettings }),
    missing: ({ imageSettings }) => ({ imageIdentifier: NO_IMAGE, ...imageSettings }),
    bad: ({ imageArn, imageSettings }) => ({ imageIdentifier: imageArn, ...imageSettings, baseImageArn: "a b" }),
  },
  GetMicrovmImage: ofImage(),
  ListMicrovmImages: ofAll,
  DeleteMicrovmImage: ofImage(),
  GetMicrovmImageVersion: ofImage({ imageVersion: "1.0" }),
  ListMicrovmImageVersions: ofImage(),
  UpdateMicrovmImageVersion: ofImage({ imageVersion: "1.0", status: "ACTIVE" }),
  DeleteMicrovmImageVersion: ofImage({ imageVersion: "1.0" }),
  GetMicrovmImageBuild: {
    good: ({ imageArn, buildId }) => ({ imageIdentifier: imageArn, imageVersion: "1.0", buildId }),
    missing: ({ imageArn }) => ({ imageIdentifier: imageArn, imageVersion: "1.0", buildId: "none" }),
    bad: ({ imageArn }) => ({ imageIdentifier: imageArn, imageVersion: "1.0", buildId: "a b" }),
  },
  ListMicrovmImageBuilds: ofImage({ imageVersion: "1.0" }),
  ListManagedMicrovmImages: ofAll,
  ListManagedMicrovmImageVersions: {
    good: () => MANAGED,
    missing: () => ({ imageIdentifier: `${MANAGED.imageIdentifier}-none` }),
    bad: () => ({ ...MANAGED, ...TOO_MANY }),
  },
  RunMicrovm: ofImage(),
  GetMicrovm: ofMicrovm(),
  ListMicrovms: ofAll,
  SuspendMicrovm: ofMicrovm(),
  ResumeMicrovm: ofMicrovm(),
  TerminateMicrovm: ofMicrovm(),
  CreateMicrovmAuthToken: ofMicrovm({ expirationInMinutes: 5, allowedPorts: [{ port: 8080 }] }),
  CreateMicrovmShellAuthToken: ofMicrovm({ expirationInMinutes: 5 }),
  TagResource: ofTags({ Tags: { a: "1" } }),
  UntagResource: ofTags({ TagKeys: ["a"] }),
  ListTags: ofTags(),
  CreateNetworkConnector: {
    good: (world) => ({ Name: "another", ...connectorSettings(world) }),
    bad: (world) => ({ Name: "a b", ...connectorSettings(world) }),
  },
  GetNetworkConnector: ofConnector(),
  ListNetworkConnectors: { good: () => ({}), bad: () => ({ MaxItems: 101 }) },
  UpdateNetworkConnector: ofConnector((world) => connectorSettings(world)),
  DeleteNetworkConnector: ofConnector(),
};
