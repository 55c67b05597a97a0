import {
  CreateMicrovmImageCommand,
  GetMicrovmImageCommand,
  type CreateMicrovmImageCommandInput,
  type LambdaMicrovmsClient,
} from "@aws-sdk/client-lambda-microvms";
import { buildCounter } from "../counted/counter-image.ts";
import type { Place } from "../counted/counted-microvm.ts";
import { persist } from "../counted/persist.ts";
import { AwsCli } from "../support/aws.ts";
import type { CatnapServer } from "../support/catnap-server.ts";
import { eventually } from "../support/eventually.ts";
import { BUILD_ROLE } from "../support/walkthrough.ts";

const BUILD_LIMIT_MS = 600_000;
const CONNECTOR = "arn:aws:lambda:us-east-1:aws:network-connector:aws-network-connector:";
/** More than a loaded emulator needs; a hook that is ignored costs as much. */
const HOOK_SECONDS = 15;

/** Where buildCounter and buildPlaces put what images are made of. */
export function imageSource(zip: "counter" | "soak") {
  return {
    codeArtifact: { uri: `s3://counters/${zip}.zip` },
    baseImageArn: "arn:aws:lambda:us-east-1:aws:microvm-image:al2023-1",
    buildRoleArn: `arn:aws:iam::123456789012:role/${BUILD_ROLE}`,
  };
}

/** The images whose microVMs live through the soak; both let shells in. The second takes long to build. */
export async function buildPlaces(
  server: CatnapServer,
  { withIll }: { withIll: boolean },
): Promise<{ counter: Place; ill: Place | undefined }> {
  const run = { ingressNetworkConnectors: [`${CONNECTOR}SHELL_INGRESS`, `${CONNECTOR}HTTP_INGRESS`] };
  const counter = await buildCounter(server);
  if (!withIll) return { counter: { ...counter, run }, ill: undefined };
  const aws = await AwsCli.open(server.clientEnv);
  try {
    await aws.useApp("soak", "counters");
    await aws.shell("zip -q soak.zip app.py Dockerfile && aws s3 cp --quiet soak.zip s3://counters/soak.zip");
  } finally {
    await aws.dispose();
  }
  const imageArn = await createImage(counter.client(), {
    ...imageSource("soak"),
    name: "ill-behaved",
    hooks: {
      port: 9000,
      microvmImageHooks: { ready: "ENABLED", readyTimeoutInSeconds: 120 },
      microvmHooks: { suspend: "ENABLED", suspendTimeoutInSeconds: HOOK_SECONDS },
    },
  });
  const state = await imageSettles(counter.client(), imageArn);
  if (state !== "CREATED") throw new Error(`the image is ${state}`);
  return { counter: { ...counter, run }, ill: { ...counter, run, imageArn } };
}

export async function createImage(
  client: LambdaMicrovmsClient,
  input: CreateMicrovmImageCommandInput,
): Promise<string> {
  const command = new CreateMicrovmImageCommand({ ...input, clientToken: crypto.randomUUID() });
  return (await persist(() => client.send(command))).imageArn ?? "";
}

/** The state of an image once nothing is done with it any more. */
export function imageSettles(client: LambdaMicrovmsClient, imageIdentifier: string): Promise<string> {
  return eventually<string>(`the end of work on ${imageIdentifier}`, BUILD_LIMIT_MS, async () => {
    const { state = "" } = await persist(() => client.send(new GetMicrovmImageCommand({ imageIdentifier })));
    return state.endsWith("ING") ? { saw: state } : { done: state };
  });
}
