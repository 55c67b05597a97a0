/** Schema steps in order, applied once each; never edit a step that was released, add one. */
export const SCHEMA: readonly string[] = [
  `
CREATE TABLE images (
  arn TEXT PRIMARY KEY, account_id TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, state TEXT NOT NULL,
  last_version INTEGER NOT NULL, tags_json TEXT NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER
) STRICT;
CREATE TABLE image_versions (
  image_arn TEXT NOT NULL REFERENCES images(arn) ON DELETE CASCADE, version TEXT NOT NULL, number INTEGER NOT NULL,
  state TEXT NOT NULL, status TEXT NOT NULL, request_json TEXT NOT NULL, state_reason TEXT,
  created_at INTEGER NOT NULL, updated_at INTEGER, PRIMARY KEY (image_arn, version)
) STRICT;
CREATE TABLE image_builds (
  build_id TEXT PRIMARY KEY, image_arn TEXT NOT NULL, version TEXT NOT NULL, host_id TEXT NOT NULL, state TEXT NOT NULL,
  architecture TEXT NOT NULL, chipset TEXT NOT NULL, chipset_generation TEXT NOT NULL, state_reason TEXT,
  sizes_json TEXT, template_json TEXT, created_at INTEGER NOT NULL,
  FOREIGN KEY (image_arn, version) REFERENCES image_versions(image_arn, version) ON DELETE CASCADE
) STRICT;
CREATE TABLE microvms (
  id TEXT PRIMARY KEY, account_id TEXT NOT NULL, region TEXT NOT NULL, host_id TEXT NOT NULL, image_arn TEXT NOT NULL,
  image_version TEXT NOT NULL, build_id TEXT NOT NULL, state TEXT NOT NULL, state_reason TEXT, endpoint_label TEXT NOT NULL UNIQUE,
  endpoint TEXT NOT NULL, request_json TEXT NOT NULL, machine_json TEXT, log_offset INTEGER NOT NULL DEFAULT 0, parked INTEGER NOT NULL DEFAULT 0,
  last_activity_at INTEGER NOT NULL, suspended_at INTEGER, started_at INTEGER NOT NULL, terminated_at INTEGER
) STRICT;
CREATE INDEX microvms_by_image ON microvms (image_arn);
CREATE TABLE idempotency (
  account_id TEXT NOT NULL, operation TEXT NOT NULL, token TEXT NOT NULL, request_hash TEXT NOT NULL,
  response_json TEXT NOT NULL, created_at INTEGER NOT NULL, PRIMARY KEY (account_id, operation, token)
) STRICT;
CREATE TABLE s3_buckets (name TEXT PRIMARY KEY, account_id TEXT NOT NULL, region TEXT NOT NULL, created_at INTEGER NOT NULL) STRICT;
CREATE TABLE s3_objects (
  bucket TEXT NOT NULL REFERENCES s3_buckets(name), key TEXT NOT NULL, file TEXT NOT NULL, size INTEGER NOT NULL,
  etag TEXT NOT NULL, content_type TEXT, headers_json TEXT NOT NULL, modified_at INTEGER NOT NULL, PRIMARY KEY (bucket, key)
) STRICT;
CREATE TABLE s3_uploads (
  upload_id TEXT PRIMARY KEY, bucket TEXT NOT NULL REFERENCES s3_buckets(name), key TEXT NOT NULL,
  headers_json TEXT NOT NULL, created_at INTEGER NOT NULL
) STRICT;
CREATE TABLE s3_parts (
  upload_id TEXT NOT NULL REFERENCES s3_uploads(upload_id) ON DELETE CASCADE, part_number INTEGER NOT NULL, file TEXT NOT NULL,
  size INTEGER NOT NULL, etag TEXT NOT NULL, headers_json TEXT NOT NULL, PRIMARY KEY (upload_id, part_number)
) STRICT;
CREATE TABLE iam_roles (
  account_id TEXT NOT NULL, name TEXT NOT NULL, role_id TEXT NOT NULL, arn TEXT NOT NULL, path TEXT NOT NULL,
  trust_policy TEXT NOT NULL, description TEXT, max_session_seconds INTEGER NOT NULL, tags_json TEXT NOT NULL,
  created_at INTEGER NOT NULL, PRIMARY KEY (account_id, name)
) STRICT;
CREATE TABLE iam_role_policies (
  account_id TEXT NOT NULL, role_name TEXT NOT NULL, policy_name TEXT NOT NULL, document TEXT NOT NULL,
  PRIMARY KEY (account_id, role_name, policy_name),
  FOREIGN KEY (account_id, role_name) REFERENCES iam_roles(account_id, name)
) STRICT;
`,
  `
CREATE TABLE role_sessions (
  access_key_id TEXT PRIMARY KEY, secret_access_key TEXT NOT NULL, session_token TEXT NOT NULL,
  account_id TEXT NOT NULL, role_arn TEXT NOT NULL, role_name TEXT NOT NULL, role_id TEXT NOT NULL, session_name TEXT NOT NULL,
  session_policy TEXT, microvm_id TEXT, issued_at INTEGER NOT NULL, expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX role_sessions_by_end ON role_sessions (expires_at);
CREATE INDEX role_sessions_by_microvm ON role_sessions (microvm_id, expires_at) WHERE microvm_id IS NOT NULL;
CREATE INDEX microvms_by_slot ON microvms (json_extract(machine_json, '$.slot')) WHERE machine_json IS NOT NULL;
`,
  `
CREATE TABLE network_connectors (
  id TEXT PRIMARY KEY, arn TEXT NOT NULL UNIQUE, account_id TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
  state TEXT NOT NULL, state_reason TEXT, state_reason_code TEXT, configuration_json TEXT NOT NULL, operator_role TEXT,
  version INTEGER NOT NULL, update_status TEXT, update_reason TEXT, update_reason_code TEXT, tags_json TEXT NOT NULL,
  created_at INTEGER NOT NULL, modified_at INTEGER NOT NULL, deleted_at INTEGER
) STRICT;
CREATE UNIQUE INDEX network_connectors_by_name ON network_connectors (account_id, region, name) WHERE deleted_at IS NULL;
`,
  `
CREATE INDEX images_by_name ON images (account_id, region, name);
CREATE INDEX image_builds_by_version ON image_builds (image_arn, version);
CREATE INDEX microvms_by_start ON microvms (account_id, region, started_at, id);
CREATE INDEX idempotency_by_age ON idempotency (created_at);
`,
  `
CREATE TABLE usage_records (
  id INTEGER PRIMARY KEY AUTOINCREMENT, host_id TEXT NOT NULL, account_id TEXT NOT NULL, region TEXT NOT NULL,
  kind TEXT NOT NULL, microvm_id TEXT, image_arn TEXT NOT NULL, image_version TEXT NOT NULL, baseline_mib INTEGER NOT NULL,
  began_at INTEGER NOT NULL, metered_until INTEGER NOT NULL, ended_at INTEGER, process TEXT, cpu_seconds REAL NOT NULL DEFAULT 0,
  running_seconds REAL NOT NULL DEFAULT 0, above_vcpu_seconds REAL NOT NULL DEFAULT 0, above_gb_seconds REAL NOT NULL DEFAULT 0,
  read_bytes INTEGER NOT NULL DEFAULT 0, written_bytes INTEGER NOT NULL DEFAULT 0, stored_bytes INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX usage_records_by_microvm ON usage_records (microvm_id, id) WHERE microvm_id IS NOT NULL;
CREATE INDEX usage_records_by_account ON usage_records (account_id, began_at);
CREATE INDEX usage_records_open ON usage_records (kind) WHERE ended_at IS NULL;
CREATE INDEX usage_records_by_end ON usage_records (ended_at) WHERE ended_at IS NOT NULL;
INSERT INTO usage_records
  (host_id, account_id, region, kind, image_arn, image_version, baseline_mib, began_at, metered_until, stored_bytes)
SELECT b.host_id, i.account_id, i.region, 'image', b.image_arn, b.version, 0, b.created_at, b.created_at,
  coalesce(json_extract(b.sizes_json, '$.memorySnapshotSizeInBytes'), 0) +
  coalesce(json_extract(b.sizes_json, '$.codeInstallSizeInBytes'), 0) +
  coalesce(json_extract(b.sizes_json, '$.diskSnapshotSizeInBytes'), 0)
FROM image_builds b JOIN images i ON i.arn = b.image_arn WHERE b.state = 'SUCCESSFUL';
`,
  `
ALTER TABLE microvms ADD COLUMN image_json TEXT;
UPDATE microvms SET image_json = (SELECT template_json FROM image_builds WHERE image_builds.build_id = microvms.build_id)
WHERE state <> 'TERMINATED';
`,
  `
CREATE INDEX usage_records_unfolded ON usage_records (microvm_id, ended_at) WHERE kind IN ('running', 'asleep');
`,
  `
DROP INDEX usage_records_by_account;
`,
];
