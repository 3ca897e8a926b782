"""Drives Step Functions with boto3, one behaviour a function. Exits non-zero at the first surprise.

Every machine works under the role that MACHINE_ROLE names, which may do everything.
"""

import json
import os
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

PATIENCE_S = 60
ROLE = os.environ["MACHINE_ROLE"]
BUCKET = "step-functions-items"

# botocore would call StartSyncExecution and TestState at sync-127.0.0.1.
CONFIG = Config(retries={"max_attempts": 2}, connect_timeout=5, read_timeout=65, inject_host_prefix=False)
states = boto3.client("stepfunctions", config=CONFIG)
sqs = boto3.client("sqs", config=CONFIG)
s3 = boto3.client("s3", config=CONFIG)
secrets = boto3.client("secretsmanager", config=CONFIG)

TOKEN_QUEUE = sqs.create_queue(QueueName="step-functions-tokens")["QueueUrl"]
s3.create_bucket(Bucket=BUCKET)


def single(state):
    """A machine of one state."""
    return {"StartAt": "Only", "States": {"Only": {**state, "End": True}}}


def read_secret(name_path="$.secret"):
    """A task that fails until somebody makes the secret."""
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:secretsmanager:getSecretValue",
        "Parameters": {"SecretId.$": name_path},
        "ResultSelector": {"value.$": "$.SecretString"},
    }


def wait_for_token(**more):
    """A task that hands its token to the queue and waits."""
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": {"QueueUrl": TOKEN_QUEUE, "MessageBody": {"token.$": "$$.Task.Token"}},
        **more,
    }


def create(name, definition, kind="STANDARD"):
    answer = states.create_state_machine(name=name, definition=json.dumps(definition), roleArn=ROLE, type=kind)
    return answer["stateMachineArn"]


def start(machine, **data):
    return states.start_execution(stateMachineArn=machine, input=json.dumps(data))["executionArn"]


def ended(execution, status):
    """The execution when it has ended, which must be in this way."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        found = states.describe_execution(executionArn=execution)
        if found["status"] != "RUNNING":
            assert found["status"] == status, found
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def output(execution):
    return json.loads(ended(execution, "SUCCEEDED")["output"])


def history(execution):
    pages = states.get_paginator("get_execution_history").paginate(executionArn=execution)
    events = [event for page in pages for event in page["events"]]
    assert [event["id"] for event in events] == list(range(1, len(events) + 1)), events
    return events


def types(execution):
    return [event["type"] for event in history(execution)]


def times_entered(execution, state):
    details = [event.get("stateEnteredEventDetails", {}) for event in history(execution)]
    return sum(detail.get("name") == state for detail in details)


def received_token():
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        messages = sqs.receive_message(QueueUrl=TOKEN_QUEUE, WaitTimeSeconds=5).get("Messages", [])
        if messages:
            sqs.delete_message(QueueUrl=TOKEN_QUEUE, ReceiptHandle=messages[0]["ReceiptHandle"])
            return json.loads(messages[0]["Body"])["token"]
    raise AssertionError("no task token came")


def expect_error(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error.response
        return
    raise AssertionError(f"{call} did not fail with {code}")


def redrive(execution):
    """Redrives, and checks what every redrive shows: its count, in the description and in the history."""
    before = history(execution)
    found = states.describe_execution(executionArn=execution)
    assert (found["redriveStatus"], found["redriveCount"]) == ("REDRIVABLE", 0), found
    states.redrive_execution(executionArn=execution)
    found = ended(execution, "SUCCEEDED")
    assert (found["redriveStatus"], found["redriveCount"]) == ("NOT_REDRIVABLE", 1), found
    assert "redriveDate" in found, found
    after = history(execution)
    assert after[: len(before)] == before, "a redrive changed what had happened"
    redriven = after[len(before)]
    assert redriven["type"] == "ExecutionRedriven", redriven
    assert redriven["executionRedrivenEventDetails"]["redriveCount"] == 1, redriven
    expect_error("ExecutionNotRedrivable", states.redrive_execution, executionArn=execution)
    return json.loads(found["output"])


def task_token_success():
    run = start(create("token-success", single(wait_for_token())))
    token = received_token()
    states.send_task_success(taskToken=token, output=json.dumps({"answer": 42}))
    assert output(run) == {"answer": 42}
    assert "TaskSubmitted" in types(run), types(run)
    # The run is over, and the token with it.
    expect_error("TaskTimedOut", states.send_task_success, taskToken=token, output="{}")
    expect_error("InvalidToken", states.send_task_success, taskToken="never given", output="{}")


def task_token_failure():
    run = start(create("token-failure", single(wait_for_token())))
    states.send_task_failure(taskToken=received_token(), error="Broken", cause="by hand")
    found = ended(run, "FAILED")
    assert (found["error"], found["cause"]) == ("Broken", "by hand"), found
    assert types(run)[-2:] == ["TaskFailed", "ExecutionFailed"], types(run)


def task_token_heartbeat():
    """Heartbeats keep a task alive beyond HeartbeatSeconds; without them it times out."""
    caught = {"ErrorEquals": ["States.HeartbeatTimeout"], "ResultPath": "$.error", "Next": "Late"}
    definition = single(wait_for_token(HeartbeatSeconds=2, Catch=[caught]))
    definition["States"]["Late"] = {"Type": "Pass", "End": True}
    run = start(create("token-heartbeat", definition))
    token = received_token()
    began = time.monotonic()
    while time.monotonic() < began + 3:
        states.send_task_heartbeat(taskToken=token)
        time.sleep(0.1)
    assert states.describe_execution(executionArn=run)["status"] == "RUNNING"
    # Retry and Catch know it as States.HeartbeatTimeout; the event and the caught error say States.Timeout.
    assert output(run)["error"]["Error"] == "States.Timeout"
    timed_out = [event["taskTimedOutEventDetails"] for event in history(run) if event["type"] == "TaskTimedOut"]
    assert [details["error"] for details in timed_out] == ["States.Timeout"], timed_out
    expect_error("TaskTimedOut", states.send_task_heartbeat, taskToken=token)


def activity():
    """A worker of an activity takes two tasks: one it fails, the other it finishes."""
    arn = states.create_activity(name="work")["activityArn"]
    machine = create("activity", single({"Type": "Task", "Resource": arn}))
    run = start(machine, n=1)
    task = states.get_activity_task(activityArn=arn, workerName="boto3")
    assert json.loads(task["input"]) == {"n": 1}, task
    states.send_task_failure(taskToken=task["taskToken"], error="Odd", cause="one")
    assert ended(run, "FAILED")["error"] == "Odd"
    run = start(machine, n=2)
    task = states.get_activity_task(activityArn=arn, workerName="boto3")
    states.send_task_success(taskToken=task["taskToken"], output=task["input"])
    assert output(run) == {"n": 2}
    assert "ActivityStarted" in types(run), types(run)


def redrive_of_a_task():
    definition = {
        "StartAt": "Before",
        "States": {
            "Before": {"Type": "Pass", "Next": "Read"},
            "Read": {**read_secret(), "Next": "After"},
            "After": {"Type": "Pass", "End": True},
        },
    }
    run = start(create("redrive-task", definition), secret="task-late")
    found = ended(run, "FAILED")
    assert found["error"] == "SecretsManager.ResourceNotFoundException", found
    secrets.create_secret(Name="task-late", SecretString="here")
    assert redrive(run) == {"value": "here"}
    assert times_entered(run, "Before") == 1 and times_entered(run, "After") == 1


def redrive_of_a_parallel_branch():
    """The branch that had succeeded is not run again: its token is asked for once."""
    definition = single(
        {
            "Type": "Parallel",
            "Branches": [
                {"StartAt": "Good", "States": {"Good": {**wait_for_token(), "End": True}}},
                {
                    "StartAt": "Hold",
                    "States": {
                        "Hold": {**wait_for_token(ResultPath=None), "Next": "Bad"},
                        "Bad": {**read_secret(), "End": True},
                    },
                },
            ],
        }
    )
    run = start(create("redrive-parallel", definition), secret="branch-late")
    # Both wait: the bad branch must not fail before the good one has succeeded.
    tokens = {state_of(run, token): token for token in (received_token(), received_token())}
    states.send_task_success(taskToken=tokens["Good"], output='"done"')
    until_exited(run, "Good")
    states.send_task_success(taskToken=tokens["Hold"], output="{}")
    ended(run, "FAILED")
    secrets.create_secret(Name="branch-late", SecretString="here")
    assert redrive(run) == ["done", {"value": "here"}]
    assert times_entered(run, "Good") == 1 and times_entered(run, "Hold") == 1
    # Good, Hold, Bad, and Bad again.
    assert types(run).count("TaskScheduled") == 4, types(run)


def state_of(run, token):
    """The state that waits for the token."""
    events = {event["id"]: event for event in history(run)}
    for event in events.values():
        if event["type"] == "TaskScheduled" and token in event["taskScheduledEventDetails"]["parameters"]:
            return events[event["previousEventId"]]["stateEnteredEventDetails"]["name"]
    raise AssertionError(f"no task was scheduled with this token: {events}")


def until_exited(run, state):
    deadline = time.monotonic() + PATIENCE_S
    while not any(event.get("stateExitedEventDetails", {}).get("name") == state for event in history(run)):
        assert time.monotonic() < deadline, history(run)
        time.sleep(0.05)


def redrive_of_a_map_item():
    """Of an inline Map's items, only the failed one is run again."""
    secrets.create_secret(Name="item-0", SecretString="zero")
    definition = single(
        {
            "Type": "Map",
            "ItemsPath": "$.secrets",
            "MaxConcurrency": 1,
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "INLINE"},
                "StartAt": "Read",
                "States": {"Read": {**read_secret("$"), "End": True}},
            },
        }
    )
    run = start(create("redrive-map", definition), secrets=["item-0", "item-1"])
    ended(run, "FAILED")
    secrets.create_secret(Name="item-1", SecretString="one")
    assert redrive(run) == [{"value": "zero"}, {"value": "one"}]
    events = [event for event in history(run) if event["type"] == "MapIterationSucceeded"]
    assert [event["mapIterationSucceededEventDetails"]["index"] for event in events] == [0, 1], events
    assert times_entered(run, "Read") == 2, types(run)


def redrive_of_a_distributed_map_item():
    """Of a Map Run's children, only the failed one is redriven, and it goes on where it failed."""
    secrets.create_secret(Name="child-0", SecretString="zero")
    definition = distributed_map({**read_secret("$"), "End": True}, ItemsPath="$.secrets", MaxConcurrency=1)
    run = start(create("redrive-map-run", definition), secrets=["child-0", "child-1"])
    assert ended(run, "FAILED")["error"] == "States.ExceedToleratedFailureThreshold"
    map_run = only_map_run(run)
    counts = map_run["itemCounts"]
    assert (map_run["status"], counts["succeeded"], counts["failed"]) == ("FAILED", 1, 1), map_run
    secrets.create_secret(Name="child-1", SecretString="one")
    assert redrive(run) == [{"value": "zero"}, {"value": "one"}]
    assert "MapRunRedriven" in types(run), types(run)
    map_run = only_map_run(run)
    assert (map_run["status"], map_run["redriveCount"]) == ("SUCCEEDED", 1), map_run
    assert (map_run["itemCounts"]["succeeded"], map_run["itemCounts"]["failed"]) == (2, 0), map_run
    children = states.list_executions(mapRunArn=map_run["mapRunArn"])["executions"]
    assert sorted(child["redriveCount"] for child in children) == [0, 1], children


def distributed_map(state, **more):
    return single(
        {
            "Type": "Map",
            "Label": "Items",
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                "StartAt": "Each",
                "States": {"Each": state},
            },
            **more,
        }
    )


def only_map_run(run):
    runs = states.list_map_runs(executionArn=run)["mapRuns"]
    assert len(runs) == 1 and runs[0]["executionArn"] == run, runs
    return states.describe_map_run(mapRunArn=runs[0]["mapRunArn"])


def distributed_map_over_s3_keys():
    keys = [f"keys/{n}.txt" for n in range(5)]
    for key in [*keys, "others/0.txt"]:
        s3.put_object(Bucket=BUCKET, Key=key, Body=key.encode())
    definition = distributed_map(
        {"Type": "Pass", "Parameters": {"key.$": "$.Key", "size.$": "$.Size"}, "End": True},
        MaxConcurrency=2,
        ItemReader={
            "Resource": "arn:aws:states:::s3:listObjectsV2",
            "Parameters": {"Bucket": BUCKET, "Prefix": "keys/"},
        },
    )
    run = start(create("map-keys", definition))
    assert output(run) == [{"key": key, "size": len(key)} for key in keys]
    map_run = only_map_run(run)
    assert (map_run["status"], map_run["maxConcurrency"], map_run["executionArn"]) == ("SUCCEEDED", 2, run), map_run
    for counts in (map_run["itemCounts"], map_run["executionCounts"]):
        assert (counts["total"], counts["succeeded"], counts["failed"]) == (5, 5, 0), map_run
    children = states.list_executions(mapRunArn=map_run["mapRunArn"])["executions"]
    assert [child["status"] for child in children] == ["SUCCEEDED"] * 5, children


def distributed_map_over_a_csv():
    s3.put_object(Bucket=BUCKET, Key="titles.csv", Body=b'title,seconds\n"One, two",12\nThree,3\nFour,4\n')
    reader = {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW", "MaxItems": 2},
        "Parameters": {"Bucket": BUCKET, "Key": "titles.csv"},
    }
    writer = {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": BUCKET, "Prefix": "results"}}
    machine = create("map-csv", distributed_map({"Type": "Pass", "End": True}, ItemReader=reader))
    run = start(machine)
    expected = [{"title": "One, two", "seconds": "12"}, {"title": "Three", "seconds": "3"}]
    assert output(run) == expected
    assert only_map_run(run)["itemCounts"]["total"] == 2

    definition = distributed_map({"Type": "Pass", "End": True}, ItemReader=reader, ResultWriter=writer)
    states.update_state_machine(stateMachineArn=machine, definition=json.dumps(definition))
    run = start(machine)
    found = output(run)["ResultWriterDetails"]
    manifest = json.load(s3.get_object(Bucket=found["Bucket"], Key=found["Key"])["Body"])
    written = manifest["ResultFiles"]["SUCCEEDED"][0]
    records = json.load(s3.get_object(Bucket=BUCKET, Key=written["Key"])["Body"])
    # Written as they end, in whatever order that is.
    records.sort(key=lambda record: record["Output"])
    assert [json.loads(record["Output"]) for record in records] == expected, records

    s3.delete_object(Bucket=BUCKET, Key="titles.csv")
    assert ended(start(machine), "FAILED")["error"] == "States.ItemReaderFailed"


def nested_sync_2():
    child = create("child", single(read_secret()))
    start_child = {
        "Type": "Task",
        "Resource": "arn:aws:states:::states:startExecution.sync:2",
        "Parameters": {"StateMachineArn": child, "Input": {"secret.$": "$.secret"}},
    }
    parent = create("parent", single(start_child))
    secrets.create_secret(Name="nested", SecretString="here")
    run = start(parent, secret="nested")
    found = output(run)
    # The second version of .sync gives JSON, the first gave text.
    assert (found["Status"], found["Output"]) == ("SUCCEEDED", {"value": "here"}), found
    assert states.describe_execution(executionArn=found["ExecutionArn"])["stateMachineArn"] == child
    run = start(parent, secret="nobody made this")
    found = ended(run, "FAILED")
    assert found["error"] == "States.TaskFailed", found
    assert json.loads(found["cause"])["Error"] == "SecretsManager.ResourceNotFoundException", found


def express_sync():
    quick = create("quick", single({"Type": "Pass", "Parameters": {"twice.$": "States.MathAdd($.n, $.n)"}}), "EXPRESS")
    found = states.start_sync_execution(stateMachineArn=quick, name="one", input='{"n": 4}')
    assert (found["status"], json.loads(found["output"]), found["name"]) == ("SUCCEEDED", {"twice": 8}, "one"), found
    assert found["billingDetails"]["billedDurationInMilliseconds"] % 100 == 0, found
    broken = create("quick-broken", single({"Type": "Task", **read_secret()}), "EXPRESS")
    found = states.start_sync_execution(stateMachineArn=broken, input='{"secret": "no such"}')
    assert (found["status"], found["error"]) == ("FAILED", "SecretsManager.ResourceNotFoundException"), found
    standard = create("slow", single({"Type": "Pass"}))
    expect_error("StateMachineTypeNotSupported", states.start_sync_execution, stateMachineArn=standard)


def test_state_with_mocks():
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": "nobody", "Payload.$": "$"},
        "ResultSelector": {"payload.$": "$.Payload"},
        "ResultPath": "$.answer",
        "Retry": [{"ErrorEquals": ["Busy"], "IntervalSeconds": 3, "MaxAttempts": 2, "BackoffRate": 2}],
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Mend"}],
        "Next": "Mend",
    }
    definition = {"StartAt": "Ask", "States": {"Ask": task, "Mend": {"Type": "Pass", "End": True}}}

    def test(state="Ask", level="INFO", **more):
        return states.test_state(
            definition=json.dumps(definition), stateName=state, input='{"n": 1}', inspectionLevel=level, **more
        )

    answered = {"result": json.dumps({"Payload": 7, "StatusCode": 200})}
    found = test(mock=answered)
    assert (found["status"], found["nextState"]) == ("SUCCEEDED", "Mend"), found
    assert json.loads(found["output"]) == {"n": 1, "answer": {"payload": 7}}, found
    assert "inspectionData" not in found, found
    data = test(level="DEBUG", mock=answered)["inspectionData"]
    assert json.loads(data["afterParameters"]) == {"FunctionName": "nobody", "Payload": {"n": 1}}, data
    assert json.loads(data["result"])["Payload"] == 7, data
    assert json.loads(data["afterResultSelector"]) == {"payload": 7}, data

    busy = {"errorOutput": {"error": "Busy", "cause": "later"}}
    found = test(level="DEBUG", mock=busy, stateConfiguration={"retrierRetryCount": 1})
    assert (found["status"], found["error"]) == ("RETRIABLE", "Busy"), found
    assert found["inspectionData"]["errorDetails"]["retryBackoffIntervalSeconds"] == 6, found
    found = test(mock=busy, stateConfiguration={"retrierRetryCount": 2})
    assert (found["status"], found["nextState"]) == ("CAUGHT_ERROR", "Mend"), found
    assert json.loads(found["output"])["error"] == {"Error": "Busy", "Cause": "later"}, found

    assert json.loads(test("Mend")["output"]) == {"n": 1}
    expect_error("ValidationException", test, state="Nowhere")


def versions_and_aliases():
    machine = create("versioned", single({"Type": "Pass", "Result": "one"}))
    one = states.publish_state_machine_version(stateMachineArn=machine)["stateMachineVersionArn"]
    assert one == f"{machine}:1", one
    assert states.publish_state_machine_version(stateMachineArn=machine)["stateMachineVersionArn"] == one
    updated = states.update_state_machine(
        stateMachineArn=machine, definition=json.dumps(single({"Type": "Pass", "Result": "two"})), publish=True
    )
    two = updated["stateMachineVersionArn"]
    assert two == f"{machine}:2", two
    listed = states.list_state_machine_versions(stateMachineArn=machine)["stateMachineVersions"]
    assert [version["stateMachineVersionArn"] for version in listed] == [two, one], listed

    def route(**weights):
        arns = {"one": one, "two": two}
        return [{"stateMachineVersionArn": arns[name], "weight": weight} for name, weight in weights.items()]

    alias = states.create_state_machine_alias(name="live", routingConfiguration=route(one=100))["stateMachineAliasArn"]
    run = start(alias)
    assert output(run) == "one"
    found = states.describe_execution(executionArn=run)
    assert (found["stateMachineVersionArn"], found["stateMachineAliasArn"]) == (one, alias), found
    assert output(start(two)) == "two"
    assert output(start(machine)) == "two"

    states.update_state_machine_alias(stateMachineAliasArn=alias, routingConfiguration=route(one=50, two=50))
    # That 60 tosses of a coin all fall alike is not to be expected in the life of the universe.
    assert {output(start(alias)) for _ in range(60)} == {"one", "two"}
    states.update_state_machine_alias(stateMachineAliasArn=alias, routingConfiguration=route(two=100))
    assert {output(start(alias)) for _ in range(5)} == {"two"}
    expect_error("ConflictException", states.delete_state_machine_version, stateMachineVersionArn=two)
    states.delete_state_machine_version(stateMachineVersionArn=one)
    update = states.update_state_machine_alias
    expect_error("ValidationException", update, stateMachineAliasArn=alias, routingConfiguration=route(two=99))


def validate_definition():
    def validate(definition):
        return states.validate_state_machine_definition(definition=json.dumps(definition))

    found = validate(single({"Type": "Pass"}))
    assert (found["result"], found["diagnostics"]) == ("OK", []), found
    broken = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}, "C": {"Type": "Wait", "End": True}}}
    found = validate(broken)
    assert found["result"] == "FAIL", found
    places = {diagnostic["location"] for diagnostic in found["diagnostics"]}
    assert "/States/A/Next" in places and any(place.startswith("/States/C") for place in places), found
    expect_error("InvalidDefinition", create, name="broken", definition=broken)


def main():
    for check in (
        task_token_success,
        task_token_failure,
        task_token_heartbeat,
        activity,
        redrive_of_a_task,
        redrive_of_a_parallel_branch,
        redrive_of_a_map_item,
        redrive_of_a_distributed_map_item,
        distributed_map_over_s3_keys,
        distributed_map_over_a_csv,
        nested_sync_2,
        express_sync,
        test_state_with_mocks,
        versions_and_aliases,
        validate_definition,
    ):
        began = time.monotonic()
        check()
        print(f"{check.__name__}: {time.monotonic() - began:.1f} s", flush=True)


main()
