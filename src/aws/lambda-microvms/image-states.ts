import type { ImageState } from "../../model/states.ts";
import type { ImageRow } from "../../store/image-store.ts";
import type { ServiceFault } from "../../errors/service-fault.ts";
import { imageConflict } from "./faults.ts";

/** States that a write may start from (contract 3.2). */
export const STABLE_IMAGE_STATES: readonly ImageState[] = [
  "CREATED",
  "UPDATED",
  "CREATE_FAILED",
  "UPDATE_FAILED",
  "DELETE_FAILED",
];

/**
 * States whose ACTIVE versions may run. Wider than the service's CREATED and UPDATED: a failed or running update of an
 * image is no reason to refuse a version that works.
 */
export const RUNNABLE_IMAGE_STATES: readonly ImageState[] = ["CREATED", "UPDATED", "UPDATING", "UPDATE_FAILED"];

export function busy(image: ImageRow): ServiceFault {
  return imageConflict(image.arn, `MicroVM Image is already in state: ${image.state}`);
}
