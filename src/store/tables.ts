import type { Generated } from "kysely";
import type {
  BuildState,
  ConnectorState,
  ImageState,
  MicrovmState,
  VersionState,
  VersionStatus,
} from "../model/states.ts";

/** Times are epoch milliseconds; `…_json` columns hold JSON text; rows that belong to a host carry `host_id`. */
export interface Database {
  images: {
    arn: string;
    account_id: string;
    region: string;
    name: string;
    state: ImageState;
    /** Number of the last version made; versions are `<n>.0` and never reused. */
    last_version: number;
    tags_json: string;
    created_at: number;
    updated_at: number | null;
  };
  image_versions: {
    image_arn: string;
    version: string;
    number: number;
    state: VersionState;
    status: VersionStatus;
    /** The build request as given, defaults filled in (readback of GetMicrovmImageVersion). */
    request_json: string;
    state_reason: string | null;
    created_at: number;
    updated_at: number | null;
  };
  image_builds: {
    build_id: string;
    image_arn: string;
    version: string;
    host_id: string;
    state: BuildState;
    architecture: string;
    chipset: string;
    chipset_generation: string;
    state_reason: string | null;
    /** memorySnapshotSizeInBytes, codeInstallSizeInBytes, diskSnapshotSizeInBytes. */
    sizes_json: string | null;
    /** TemplateFiles, rootfs path and ContainerConfig of a successful build. */
    template_json: string | null;
    created_at: number;
  };
  microvms: {
    id: string;
    account_id: string;
    region: string;
    host_id: string;
    image_arn: string;
    image_version: string;
    build_id: string;
    state: MicrovmState;
    state_reason: string | null;
    /** First label of the endpoint's host name: a UUID unrelated to the id. */
    endpoint_label: string;
    endpoint: string;
    /** The run request with defaults filled in. */
    request_json: string;
    /** Slot number and MachineHandle while a process exists. */
    machine_json: string | null;
    /**
     * The build's `template_json` as it was when this microVM was started: its memory is a difference to that very
     * template. Null before the first start and after the end.
     */
    image_json: string | null;
    log_offset: Generated<number>;
    /** 1 while a microVM that ran sleeps only because the server went down: the next start wakes it. */
    parked: Generated<number>;
    last_activity_at: number;
    suspended_at: number | null;
    started_at: number;
    terminated_at: number | null;
  };
  /** Customer network connectors. A deleted one is kept for a day, so that deleting it again succeeds. */
  network_connectors: {
    id: string;
    arn: string;
    account_id: string;
    region: string;
    name: string;
    state: ConnectorState;
    state_reason: string | null;
    state_reason_code: string | null;
    /** The VPC egress configuration as given. */
    configuration_json: string;
    operator_role: string | null;
    version: number;
    /** Outcome of the last update; null before the first. */
    update_status: "Successful" | "Failed" | null;
    update_reason: string | null;
    update_reason_code: string | null;
    tags_json: string;
    created_at: number;
    modified_at: number;
    deleted_at: number | null;
  };
  /**
   * One stretch of use each: of a microVM that ran (for an hour at most), of one that slept, later of a whole day of either;
   * of an image version that is kept. They outlast what they tell of.
   */
  usage_records: {
    id: Generated<number>;
    host_id: string;
    account_id: string;
    region: string;
    kind: "running" | "asleep" | "day" | "image";
    /** Null for an image. */
    microvm_id: string | null;
    image_arn: string;
    image_version: string;
    /** Memory of the size while it runs; its processors follow from it. */
    baseline_mib: number;
    began_at: number;
    /** How far a running stretch is counted. */
    metered_until: number;
    /** Null while it lasts; for a running stretch then equal to `metered_until`. */
    ended_at: number | null;
    /** Id and start time of the monitor process of a running stretch, and its processor time when counted last. */
    process: string | null;
    cpu_seconds: Generated<number>;
    /** Of a clock that never jumps. */
    running_seconds: Generated<number>;
    above_vcpu_seconds: Generated<number>;
    above_gb_seconds: Generated<number>;
    /** Of snapshots, when the stretch began. */
    read_bytes: Generated<number>;
    written_bytes: Generated<number>;
    stored_bytes: Generated<number>;
  };
  idempotency: {
    account_id: string;
    operation: string;
    token: string;
    request_hash: string;
    response_json: string;
    created_at: number;
  };
  s3_buckets: { name: string; account_id: string; region: string; created_at: number };
  s3_objects: {
    bucket: string;
    key: string;
    /** File below the objects directory. */
    file: string;
    size: number;
    etag: string;
    content_type: string | null;
    /** Metadata, checksums and other headers to give back. */
    headers_json: string;
    modified_at: number;
  };
  s3_uploads: { upload_id: string; bucket: string; key: string; headers_json: string; created_at: number };
  s3_parts: { upload_id: string; part_number: number; file: string; size: number; etag: string; headers_json: string };
  iam_roles: {
    account_id: string;
    name: string;
    role_id: string;
    arn: string;
    path: string;
    trust_policy: string;
    description: string | null;
    max_session_seconds: number;
    tags_json: string;
    created_at: number;
  };
  iam_role_policies: { account_id: string; role_name: string; policy_name: string; document: string };
  /** Temporary credentials: of AssumeRole, and those that a microVM finds at its metadata service. */
  role_sessions: {
    access_key_id: string;
    secret_access_key: string;
    session_token: string;
    account_id: string;
    role_arn: string;
    role_name: string;
    /** A role of the same name made later is another one: sessions of the old one allow nothing. */
    role_id: string;
    session_name: string;
    /** Narrows what the role's policies allow. */
    session_policy: string | null;
    /** Set for the credentials of an execution role. */
    microvm_id: string | null;
    issued_at: number;
    expires_at: number;
  };
}
