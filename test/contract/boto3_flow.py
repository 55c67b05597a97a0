"""The core flow as boto3's users write it; prints the name of each check that holds, and stops at one that does not."""

import os
import sys
import tempfile
import time
import urllib.request
import uuid

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

ACCOUNT = "123456789012"
REGION = "us-east-1"
APP = f"arn:aws:lambda:{REGION}:{ACCOUNT}:microvm-image:app"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/Build"
MANAGED = f"arn:aws:lambda:{REGION}:aws:network-connector:aws-network-connector"
MEBIBYTE = 1024 * 1024
PATIENCE_SECONDS = 30


def client(service):
    return boto3.client(service, region_name=REGION, config=Config(retries={"max_attempts": 1}))


iam, s3, sts, microvms, core = (client(name) for name in ("iam", "s3", "sts", "lambda-microvms", "lambda-core"))


def refused(error, call, **parameters):
    """The error's answer; it must be of the class that the client exports for it."""
    try:
        call(**parameters)
    except error as fault:
        return fault.response
    raise AssertionError(f"{call.__name__} was not refused")


def until(read, is_done):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        answer = read()
        if is_done(answer):
            return answer
        assert time.monotonic() < deadline, answer
        time.sleep(0.02)


def pages(operation, **parameters):
    """Every item, one a page."""
    found = []
    for page in microvms.get_paginator(operation).paginate(PaginationConfig={"PageSize": 1}, **parameters):
        assert len(page["items"]) <= 1, page
        found += page["items"]
    return found


def check_identity():
    assert sts.get_caller_identity()["Account"] == ACCOUNT


def check_roles():
    trust = (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":'
        f'{{"Service":"lambda.amazonaws.com","AWS":"arn:aws:iam::{ACCOUNT}:root"}},"Action":"sts:AssumeRole"}}]}}'
    )
    allow = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:GetObject","ec2:*"],"Resource":"*"}]}'
    role = iam.create_role(RoleName="Build", AssumeRolePolicyDocument=trust)["Role"]
    assert role["Arn"] == ROLE and role["AssumeRolePolicyDocument"]["Version"] == "2012-10-17"
    iam.get_waiter("role_exists").wait(RoleName="Build", WaiterConfig={"Delay": 1, "MaxAttempts": 3})
    refused(iam.exceptions.EntityAlreadyExistsException, iam.create_role, RoleName="Build", AssumeRolePolicyDocument=trust)
    refused(iam.exceptions.NoSuchEntityException, iam.get_role, RoleName="None")
    iam.put_role_policy(RoleName="Build", PolicyName="P", PolicyDocument=allow)
    assert [one["RoleName"] for one in iam.get_paginator("list_roles").paginate().search("Roles[]")] == ["Build"]
    session = sts.assume_role(RoleArn=ROLE, RoleSessionName="flow")
    assert session["AssumedRoleUser"]["Arn"].endswith("assumed-role/Build/flow")


def check_s3_files():
    s3.create_bucket(Bucket="box")
    s3.get_waiter("bucket_exists").wait(Bucket="box", WaiterConfig={"Delay": 1, "MaxAttempts": 3})
    content = os.urandom(12 * MEBIBYTE)
    with tempfile.TemporaryDirectory() as folder:
        source, back = os.path.join(folder, "app.zip"), os.path.join(folder, "back.zip")
        with open(source, "wb") as file:
            file.write(content)
        parts = TransferConfig(multipart_threshold=5 * MEBIBYTE, multipart_chunksize=5 * MEBIBYTE)
        s3.upload_file(source, "box", "app.zip", Config=parts, ExtraArgs={"ChecksumAlgorithm": "SHA256"})
        s3.download_file("box", "app.zip", back, Config=parts)
        with open(back, "rb") as file:
            assert file.read() == content
    head = s3.head_object(Bucket="box", Key="app.zip", ChecksumMode="ENABLED")
    assert head["ContentLength"] == len(content) and head["ETag"].endswith('-3"') and head["ChecksumSHA256"]
    s3.get_waiter("object_exists").wait(Bucket="box", Key="app.zip", WaiterConfig={"Delay": 1, "MaxAttempts": 3})


def check_s3_objects():
    for algorithm in ("CRC32", "SHA1", "SHA256"):
        put = s3.put_object(Bucket="box", Key=f"k/{algorithm}", Body=b"x", ChecksumAlgorithm=algorithm)
        assert put[f"Checksum{algorithm}"]
    wrong = refused(ClientError, s3.put_object, Bucket="box", Key="k/bad", Body=b"x", ChecksumSHA256="A" * 43 + "=")
    assert wrong["Error"]["Code"] == "BadDigest", wrong
    keys = s3.get_paginator("list_objects_v2").paginate(Bucket="box", Prefix="k/", PaginationConfig={"PageSize": 2})
    assert "k/SHA256" in list(keys.search("Contents[].Key"))
    refused(s3.exceptions.NoSuchKey, s3.get_object, Bucket="box", Key="none")
    refused(s3.exceptions.NoSuchBucket, s3.list_objects_v2, Bucket="none")
    # its links are signed with version 2 unless told otherwise, which no bucket of today takes
    linker = boto3.client("s3", region_name=REGION, config=Config(signature_version="s3v4"))
    url = linker.generate_presigned_url("get_object", Params={"Bucket": "box", "Key": "k/SHA256"})
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"x"


SETTINGS = {
    "baseImageArn": f"arn:aws:lambda:{REGION}:aws:microvm-image:al2023-1",
    "buildRoleArn": ROLE,
    "codeArtifact": {"uri": "s3://box/app.zip"},
}


def check_images():
    made = microvms.create_microvm_image(**SETTINGS, name="app", tags={"team": "a"}, environmentVariables={"MODE": "x"})
    assert made["state"] == "CREATING" and made["imageVersion"] == "1.0" and made["createdAt"].tzinfo
    image = until(lambda: microvms.get_microvm_image(imageIdentifier=APP), lambda one: one["state"] != "CREATING")
    assert image["state"] == "CREATED" and image["latestActiveImageVersion"] == "1.0"
    version = microvms.get_microvm_image_version(imageIdentifier=APP, imageVersion="1.0")
    assert version["environmentVariables"] == {"MODE": "x"} and version["status"] == "ACTIVE"
    (one,) = pages("list_microvm_image_builds", imageIdentifier=APP, imageVersion="1.0")
    found = microvms.get_microvm_image_build(imageIdentifier=APP, imageVersion="1.0", buildId=one["buildId"])
    assert found["buildState"] == "SUCCESSFUL" and found["snapshotBuild"]["memorySnapshotSizeInBytes"] == 3
    taken = refused(microvms.exceptions.ValidationException, microvms.create_microvm_image, **SETTINGS, name="app")
    assert "already exists" in taken["Error"]["Message"]
    microvms.update_microvm_image(**SETTINGS, imageIdentifier=APP)
    until(lambda: microvms.get_microvm_image(imageIdentifier=APP), lambda one: one["state"] == "UPDATED")
    inactive = microvms.update_microvm_image_version(imageIdentifier=APP, imageVersion="1.0", status="INACTIVE")
    assert inactive["status"] == "INACTIVE"


def check_paginators():
    microvms.create_microvm_image(**SETTINGS, name="other")
    assert [one["name"] for one in pages("list_microvm_images")] == ["app", "other"]
    assert [one["imageVersion"] for one in pages("list_microvm_image_versions", imageIdentifier=APP)] == ["2.0", "1.0"]
    (managed,) = pages("list_managed_microvm_images")
    assert len(pages("list_managed_microvm_image_versions", imageIdentifier=managed["imageArn"])) == 2


def check_errors():
    unknown = {"microvmIdentifier": f"microvm-{uuid.uuid4()}"}
    missing = refused(microvms.exceptions.ResourceNotFoundException, microvms.get_microvm, **unknown)
    assert missing["ResponseMetadata"]["HTTPStatusCode"] == 404 and missing["ResponseMetadata"]["RequestId"]
    long = refused(microvms.exceptions.ValidationException, microvms.run_microvm, imageIdentifier=APP, runHookPayload="x" * 4097)
    assert long["Error"]["Message"] == (
        "1 validation error detected: Value at 'runHookPayload' failed to satisfy constraint: "
        "Member must have length less than or equal to 4096"
    )
    first = {"imageIdentifier": APP, "clientToken": "token"}
    one = microvms.run_microvm(**first)
    assert microvms.run_microvm(**first)["microvmId"] == one["microvmId"]
    refused(microvms.exceptions.ConflictException, microvms.run_microvm, **first, maximumDurationInSeconds=60)
    denied = boto3.client("lambda-microvms", region_name=REGION, aws_access_key_id="AKIANOBODYNOBODY", aws_secret_access_key="x")
    assert refused(ClientError, denied.list_microvms)["ResponseMetadata"]["HTTPStatusCode"] == 403
    microvms.terminate_microvm(microvmIdentifier=one["microvmId"])


def check_microvms():
    run = microvms.run_microvm(
        imageIdentifier=APP,
        ingressNetworkConnectors=[f"{MANAGED}:HTTP_INGRESS", f"{MANAGED}:SHELL_INGRESS"],
        idlePolicy={"maxIdleDurationSeconds": 900, "suspendedDurationSeconds": 300, "autoResumeEnabled": True},
    )
    it = {"microvmIdentifier": run["microvmId"]}

    def become(state):
        return until(lambda: microvms.get_microvm(**it), lambda one: one["state"] == state)

    assert become("RUNNING")["idlePolicy"]["autoResumeEnabled"] is True
    token = microvms.create_microvm_auth_token(**it, expirationInMinutes=5, allowedPorts=[{"port": 8080}, {"allPorts": {}}])
    shell = microvms.create_microvm_shell_auth_token(**it, expirationInMinutes=5)
    for answer in (token, shell):
        assert answer["authToken"]["X-aws-proxy-auth"].count(".") == 4
    microvms.suspend_microvm(**it)
    become("SUSPENDED")
    microvms.resume_microvm(**it)
    become("RUNNING")
    assert len(pages("list_microvms", imageIdentifier=APP)) == 2
    in_use = refused(microvms.exceptions.ConflictException, microvms.delete_microvm_image, imageIdentifier=APP)
    assert in_use["Error"]["Message"] == "Cannot delete MicroVM image with running MicroVMs"
    microvms.terminate_microvm(**it)
    assert become("TERMINATED")["stateReason"] == "Success."


def check_tags():
    microvms.tag_resource(Resource=APP, Tags={"a b": "1", "ü": "2"})
    microvms.untag_resource(Resource=APP, TagKeys=["team", "a b"])
    assert microvms.list_tags(Resource=APP)["Tags"] == {"ü": "2"}


def check_connectors():
    vpc = {
        "SubnetIds": ["subnet-0a1"],
        "SecurityGroupIds": ["sg-1"],
        "NetworkProtocol": "IPv4",
        "AssociatedComputeResourceTypes": ["MicroVm"],
    }
    made = core.create_network_connector(
        Name="vpc", Configuration={"VpcEgressConfiguration": vpc}, OperatorRole=ROLE
    )
    read = until(lambda: core.get_network_connector(Identifier="vpc"), lambda one: one["State"] != "PENDING")
    assert read["State"] == "ACTIVE" and read["Id"] == made["Id"] and read["LastModified"].tzinfo
    core.update_network_connector(
        Identifier=made["Id"],
        Configuration={"VpcEgressConfiguration": {**vpc, "SubnetIds": ["subnet-0b2"]}},
        OperatorRole=ROLE,
    )
    assert [one["Name"] for one in core.list_network_connectors(MaxItems=1)["NetworkConnectors"]] == ["vpc"]
    refused(core.exceptions.ResourceConflictException, core.create_network_connector, Name="vpc", Configuration={"VpcEgressConfiguration": vpc}, OperatorRole=ROLE)
    core.delete_network_connector(Identifier="vpc")
    refused(core.exceptions.ResourceNotFoundException, core.get_network_connector, Identifier="vpc")


def check_the_end():
    version = microvms.delete_microvm_image_version(imageIdentifier=APP, imageVersion="1.0")
    assert version["state"] == "DELETING"
    until(lambda: microvms.get_microvm_image(imageIdentifier=APP), lambda one: one["state"] != "UPDATING")
    for name in ("app", "other"):
        until(lambda: microvms.get_microvm_image(imageIdentifier=APP.replace("app", name)), lambda one: not one["state"].endswith("ING"))
        assert microvms.delete_microvm_image(imageIdentifier=APP.replace("app", name))["state"] == "DELETING"
    until(lambda: microvms.list_microvm_images(), lambda one: one["items"] == [])
    bucket = boto3.resource("s3", region_name=REGION).Bucket("box")
    bucket.objects.all().delete()
    bucket.delete()
    iam.delete_role_policy(RoleName="Build", PolicyName="P")
    iam.delete_role(RoleName="Build")


for check in [value for name, value in list(globals().items()) if name.startswith("check_")]:
    check()
    print(check.__name__.removeprefix("check_"))
    sys.stdout.flush()
