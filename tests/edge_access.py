"""Restricts a behaviour to signed URLs and cookies, with the AWS CLI, boto3 and botocore's signer. Exits non-zero at the first surprise."""

import base64
import datetime
import json
import os
import socket
import subprocess
import tempfile
import urllib.error
import urllib.request

import boto3
import rsa
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.signers import CloudFrontSigner

STACK = "vodline"
SITE = os.environ["VODLINE_SITE"].rstrip("/")


def client(name):
    return boto3.client(name, config=Config(retries={"max_attempts": 2}, connect_timeout=5, read_timeout=60))


def aws(*arguments):
    done = subprocess.run([os.environ["AWS_CLI"], *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"aws {arguments}: {done.stdout}{done.stderr}"
    return json.loads(done.stdout) if done.stdout.lstrip().startswith(("{", "[")) else done.stdout


def expect_error(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error.response
        return
    raise AssertionError(f"{call} did not fail with {code}")


def get(url, **headers):
    """Status and body of an answer."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def pem(key):
    """A public key as OpenSSL writes it; rsa itself writes the older form."""

    def element(tag, content):
        size = len(content)
        length = bytes([size]) if size < 128 else bytes([0x82]) + size.to_bytes(2, "big")
        return bytes([tag]) + length + content

    algorithm = bytes.fromhex("300d06092a864886f70d0101010500")
    der = element(0x30, algorithm + element(0x03, b"\x00" + key.save_pkcs1(format="DER")))
    return "-----BEGIN PUBLIC KEY-----\n" + base64.encodebytes(der).decode() + "-----END PUBLIC KEY-----\n"


def signer(key_id, key):
    return CloudFrontSigner(key_id, lambda message: rsa.sign(message, key, "SHA-1"))


def in_seconds(seconds):
    return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)


def main():
    stack = client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    cloudfront, s3 = client("cloudfront"), client("s3")
    s3.put_object(Bucket=outputs["MediaBucket"], Key="media/film.txt", Body=b"the film")
    film = SITE + "/media/film.txt"
    assert get(film) == (200, "the film")

    # Keys, and a group of one of them.
    (public, private), (_, stranger) = rsa.newkeys(2048), rsa.newkeys(1024)
    config = {"CallerReference": "e2e", "Name": "e2e", "EncodedKey": pem(public)}
    made = cloudfront.create_public_key(PublicKeyConfig=config)
    key_id = made["PublicKey"]["Id"]
    group = aws("cloudfront", "create-key-group", "--key-group-config", f"Name=e2e,Items={key_id}")["KeyGroup"]
    expect_error("PublicKeyInUse", cloudfront.delete_public_key, Id=key_id, IfMatch=made["ETag"])

    # The behaviour of the films trusts it from now on.
    read = cloudfront.get_distribution_config(Id=outputs["DistributionId"])
    distribution = read["DistributionConfig"]
    for behaviour in distribution["CacheBehaviors"]["Items"]:
        if behaviour["PathPattern"] == "/media/*":
            behaviour["TrustedKeyGroups"] = {"Enabled": True, "Quantity": 1, "Items": [group["Id"]]}
    cloudfront.update_distribution(
        Id=outputs["DistributionId"], IfMatch=read["ETag"], DistributionConfig=distribution
    )
    whole = aws("cloudfront", "get-distribution", "--id", outputs["DistributionId"])["Distribution"]
    assert whole["ActiveTrustedKeyGroups"]["Items"][0]["KeyPairIds"]["Items"] == [key_id], whole
    status, body = get(film)
    assert status == 403 and "<Code>MissingKey</Code>" in body, body

    # Signed URLs: canned, then custom.
    ours = signer(key_id, private)
    signed = ours.generate_presigned_url(film, date_less_than=in_seconds(60))
    assert get(signed) == (200, "the film")
    assert get(signed.replace("film.txt", "other.txt"))[0] == 403
    assert get(signed.replace("Expires=", "Expires=9"))[0] == 403
    assert get(ours.generate_presigned_url(film, date_less_than=in_seconds(-60)))[0] == 403
    assert get(signer(key_id, stranger).generate_presigned_url(film, date_less_than=in_seconds(60)))[0] == 403
    status, body = get(signer("KUNKNOWN", private).generate_presigned_url(film, date_less_than=in_seconds(60)))
    assert status == 403 and "Unknown Key" in body, body

    def custom(resource, **conditions):
        return ours.build_policy(resource, in_seconds(60), **conditions)

    for policy, expected in [
        (custom(SITE + "/media/*"), 200),
        (custom("http*://*/media/film.tx?", ip_address="127.0.0.0/8"), 200),
        (custom(SITE + "/media/*", ip_address="10.1.2.3"), 403),
        (custom(SITE + "/media/*", date_greater_than=in_seconds(30)), 403),
        (custom(SITE + "/site/*"), 403),
    ]:
        assert get(ours.generate_presigned_url(film, policy=policy))[0] == expected, policy

    # Signed cookies, made of the same parts.
    policy = custom(SITE + "/media/*").encode()
    values = {
        "CloudFront-Policy": ours._url_b64encode(policy).decode(),
        "CloudFront-Signature": ours._url_b64encode(rsa.sign(policy, private, "SHA-1")).decode(),
        "CloudFront-Key-Pair-Id": key_id,
    }
    cookie = "; ".join(f"{name}={value}" for name, value in values.items())
    assert get(film, Cookie=cookie) == (200, "the film")
    assert get(film, Cookie=cookie.replace(values["CloudFront-Policy"], values["CloudFront-Policy"][4:]))[0] == 403

    # Another distribution is not the one that the bucket's policy names, however it signs.
    control = cloudfront.create_origin_access_control(
        OriginAccessControlConfig={
            "Name": "e2e",
            "OriginAccessControlOriginType": "s3",
            "SigningBehavior": "always",
            "SigningProtocol": "sigv4",
        }
    )
    other = {
        "CallerReference": "e2e",
        "Comment": "",
        "Enabled": True,
        "Origins": {
            "Quantity": 1,
            "Items": [
                {
                    "Id": "media",
                    "DomainName": f"{outputs['MediaBucket']}.s3.us-east-1.amazonaws.com",
                    "OriginAccessControlId": control["OriginAccessControl"]["Id"],
                    "S3OriginConfig": {"OriginAccessIdentity": ""},
                }
            ],
        },
        "DefaultCacheBehavior": {
            "TargetOriginId": "media",
            "ViewerProtocolPolicy": "allow-all",
            "CachePolicyId": "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
        },
    }
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(other, file)
        file.flush()
        created = aws("cloudfront", "create-distribution", "--distribution-config", f"file://{file.name}")
    status, body = get(film, Host=created["Distribution"]["DomainName"])
    assert status == 403 and "<Code>AccessDenied</Code>" in body, body
    invalidation = aws(
        "cloudfront", "create-invalidation", "--distribution-id", created["Distribution"]["Id"], "--paths", "/*"
    )["Invalidation"]
    listed = aws("cloudfront", "list-invalidations", "--distribution-id", created["Distribution"]["Id"])
    assert listed["InvalidationList"]["Items"][0]["Id"] == invalidation["Id"], listed
    expect_error(
        "DistributionNotDisabled",
        cloudfront.delete_distribution,
        Id=created["Distribution"]["Id"],
        IfMatch=created["ETag"],
    )

    # A function in both stages.
    code = b"function handler(event) { event.response.headers['x-e2e'] = { value: event.request.uri }; return event.response; }"
    function = cloudfront.create_function(
        Name="e2e", FunctionConfig={"Comment": "", "Runtime": "cloudfront-js-2.0"}, FunctionCode=code
    )
    event = {
        "version": "1.0",
        "context": {"eventType": "viewer-response"},
        "viewer": {"ip": "1.2.3.4"},
        "request": {"method": "GET", "uri": "/x", "querystring": {}, "headers": {}, "cookies": {}},
        "response": {"statusCode": 200, "statusDescription": "OK", "headers": {}, "cookies": {}},
    }
    tested = cloudfront.test_function(Name="e2e", IfMatch=function["ETag"], EventObject=json.dumps(event).encode())
    output = json.loads(tested["TestResult"]["FunctionOutput"])
    assert output["response"]["headers"]["x-e2e"]["value"] == "/x", tested
    published = cloudfront.publish_function(Name="e2e", IfMatch=function["ETag"])
    assert published["FunctionSummary"]["FunctionMetadata"]["Stage"] == "LIVE", published
    store = cloudfront.create_key_value_store(Name="e2e")["KeyValueStore"]
    assert store["Status"] == "READY", store

    # Its pairs, which are signed for by Version 4A.
    pairs, arn = client("cloudfront-keyvaluestore"), store["ARN"]
    described = pairs.describe_key_value_store(KvsARN=arn)
    put = pairs.put_key(KvsARN=arn, Key="a/b c", Value="h\u00e9", IfMatch=described["ETag"])
    assert pairs.get_key(KvsARN=arn, Key="a/b c")["Value"] == "h\u00e9"
    expect_error("ConflictException", pairs.delete_key, KvsARN=arn, Key="a/b c", IfMatch=described["ETag"])
    changes = {"Puts": [{"Key": "x", "Value": "1"}], "Deletes": [{"Key": "a/b c"}]}
    assert pairs.update_keys(KvsARN=arn, IfMatch=put["ETag"], **changes)["ItemCount"] == 1
    assert pairs.list_keys(KvsARN=arn)["Items"] == [{"Key": "x", "Value": "1"}]


def resolve_accounts():
    """The client puts the account before the endpoint's host; no resolver knows a name before an address."""
    resolve = socket.getaddrinfo
    known = lambda host: "127.0.0.1" if host.endswith(".127.0.0.1") else host
    socket.getaddrinfo = lambda host, *rest, **more: resolve(known(host), *rest, **more)


resolve_accounts()
main()
