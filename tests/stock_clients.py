"""Publishes a video with `aws s3 cp` and looks at every service with boto3. Exits non-zero at the first surprise."""

import json
import os
import subprocess
import sys
import time
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

STACK = "vodline"
PATIENCE_S = 180


def client(name):
    return boto3.client(name, config=Config(retries={"max_attempts": 2}, connect_timeout=5, read_timeout=60))


def aws(*arguments):
    done = subprocess.run([os.environ["AWS_CLI"], *arguments], capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, f"aws {arguments}: {done.stdout}{done.stderr}"
    return json.loads(done.stdout) if done.stdout.lstrip().startswith(("{", "[")) else done.stdout


def expect_error(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error.response
        return
    raise AssertionError(f"{call} did not fail with {code}")


def main(clip):
    stack = client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    # The upload, and the run it starts.
    aws("s3", "cp", clip, f"s3://{outputs['UploadBucket']}/from aws/clip.mp4")
    deadline = time.monotonic() + PATIENCE_S
    while True:
        runs = aws("stepfunctions", "list-executions", "--state-machine-arn", outputs["PublishArn"])["executions"]
        if runs and runs[0]["status"] != "RUNNING":
            break
        assert time.monotonic() < deadline, runs
        time.sleep(0.2)
    run = runs[0]
    assert run["status"] == "SUCCEEDED", run
    history = aws("stepfunctions", "get-execution-history", "--execution-arn", run["executionArn"])["events"]
    types = [event["type"] for event in history]
    assert types[0] == "ExecutionStarted" and types[-1] == "ExecutionSucceeded", types
    assert types.count("ParallelStateEntered") == 2 and "TaskSubmitted" in types, types
    assert history[1]["previousEventId"] == 0, history[1]

    # The row.
    table = client("dynamodb")
    rows = table.query(
        TableName=outputs["CatalogueTable"],
        IndexName="newest-first",
        KeyConditionExpression="listPk = :videos",
        ExpressionAttributeValues={":videos": {"S": "VIDEOS"}},
    )["Items"]
    assert len(rows) == 1 and rows[0]["status"]["S"] == "READY", rows
    row = rows[0]
    video_id = row["videoId"]["S"]

    # The transcode.
    convert = client("mediaconvert")
    job = convert.list_jobs(Status="COMPLETE")["Jobs"][0]
    assert job["UserMetadata"]["videoId"] == video_id, job
    assert convert.get_job(Id=job["Id"])["Job"]["JobPercentComplete"] == 100
    probe = convert.probe(InputFiles=[{"FileUrl": f"s3://{outputs['UploadBucket']}/from aws/clip.mp4"}])
    tracks = probe["ProbeResults"][0]["Container"]["Tracks"]
    assert {track["TrackType"] for track in tracks} == {"video", "audio"}, tracks
    expect_error("NotFoundException", convert.get_job, Id="1-nothing")

    # The package.
    package = client("mediapackage-vod")
    asset = package.describe_asset(Id=video_id)
    assert [endpoint["Status"] for endpoint in asset["EgressEndpoints"]] == ["PLAYABLE"] * 3, asset
    group = package.describe_packaging_group(Id=asset["PackagingGroupId"])
    assert group["DomainName"].startswith("https://"), group

    # The distribution: the group is an origin with the secret header.
    secret = client("secretsmanager").get_secret_value(SecretId=f"MediaPackage/{STACK}")
    value = json.loads(secret["SecretString"])["MediaPackageCDNIdentifier"]
    cloudfront = client("cloudfront")
    answer = cloudfront.get_distribution_config(Id=outputs["DistributionId"])
    config, etag = answer["DistributionConfig"], answer["ETag"]
    origins = {origin["Id"]: origin for origin in config["Origins"]["Items"]}
    headers = origins[group["Id"]]["CustomHeaders"]["Items"]
    assert headers == [{"HeaderName": "X-MediaPackage-CDNIdentifier", "HeaderValue": value}], "the header is not the secret's"
    config["Comment"] = "changed by boto3"
    updated = cloudfront.update_distribution(Id=outputs["DistributionId"], IfMatch=etag, DistributionConfig=config)
    assert updated["ETag"] != etag
    expect_error(
        "PreconditionFailed",
        cloudfront.update_distribution,
        Id=outputs["DistributionId"],
        IfMatch=etag,
        DistributionConfig=config,
    )

    # It plays.
    hls = row["playback"]["M"]["hls"]["S"]
    with urllib.request.urlopen(os.environ["VODLINE_SITE"] + hls, timeout=30) as master:
        assert master.read().startswith(b"#EXTM3U")

    # What the home does not do, it says by name.
    expect_error("NotImplemented", client("dynamodb").create_backup, TableName=outputs["CatalogueTable"], BackupName="none")
    # Nobody without a key gets in.
    stranger = boto3.client("stepfunctions", aws_access_key_id="stranger", aws_secret_access_key="none")
    expect_error("UnrecognizedClientException", stranger.list_state_machines)


main(sys.argv[1])
