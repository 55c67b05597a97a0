import type { LifeBody } from "./life-body.ts";

/**
 * Saves a machine whose guest may have run ahead of its memory on disk once more, as it is now; false when there is none,
 * or when it could not be saved, which is logged as `failure`.
 */
export async function saveAgain({ running, context, record }: LifeBody, failure: string): Promise<boolean> {
  if (running === undefined) return false;
  return running.machine.suspend().then(
    () => true,
    (err: unknown) => {
      context.log.error({ err, microvmId: record.id }, failure);
      return false;
    },
  );
}
