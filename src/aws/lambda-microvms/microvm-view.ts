import type { RunMicrovmCommandOutput } from "@aws-sdk/client-lambda-microvms";
import { ServiceFault } from "../../errors/service-fault.ts";
import type { MicrovmService, MicrovmView } from "../../lifecycle/microvm-service.ts";
import type { OperationContext } from "../service.ts";
import { microvmNotFound } from "./faults.ts";

/** A microVM as RunMicrovm and GetMicrovm answer it, members in the service's order (contract 17). */
export function microvmOutput(view: MicrovmView): Omit<RunMicrovmCommandOutput, "$metadata"> {
  return {
    microvmId: view.microvmId,
    state: view.state,
    endpoint: view.endpoint,
    imageArn: view.imageArn,
    imageVersion: view.imageVersion,
    ...(view.executionRoleArn !== undefined && { executionRoleArn: view.executionRoleArn }),
    ...(view.idlePolicy && { idlePolicy: view.idlePolicy }),
    maximumDurationInSeconds: view.maximumDurationInSeconds,
    startedAt: view.startedAt,
    ...(view.terminatedAt && { terminatedAt: view.terminatedAt }),
    ...(view.stateReason !== undefined && { stateReason: view.stateReason }),
    ingressNetworkConnectors: [...view.ingressNetworkConnectors],
    egressNetworkConnectors: [...view.egressNetworkConnectors],
  };
}

/**
 * The caller's microVM of that id, terminated ones included; another account's does not exist for them. Ids are unique
 * over all Regions, which here are one host: a client set to another Region finds it all the same.
 */
export async function requireMicrovm(
  microvms: MicrovmService,
  context: OperationContext,
  id: string,
): Promise<MicrovmView> {
  const view = await microvms.get(id);
  if (view?.accountId !== context.accountId) throw microvmNotFound(id);
  return view;
}

/** The conflict of a call that the microVM's state does not allow; names the state it is in now. */
export async function wrongState(microvms: MicrovmService, id: string, action: string): Promise<ServiceFault> {
  const view = await microvms.get(id);
  if (!view) return microvmNotFound(id);
  return new ServiceFault("ConflictException", `Cannot ${action} MicroVM ${id} in its current state: ${view.state}`, {
    members: { resourceId: id, resourceType: "MicroVM" },
  });
}
