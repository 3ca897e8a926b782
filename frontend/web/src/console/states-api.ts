/**
 * The Step Functions API, as far as the console uses it. Shapes are AWS's:
 * https://docs.aws.amazon.com/step-functions/latest/apireference/API_Operations.html
 * Times are seconds since 1970, with a fraction.
 */

/** Status of an execution. */
export type ExecutionStatus = "RUNNING" | "SUCCEEDED" | "FAILED" | "TIMED_OUT" | "ABORTED" | "PENDING_REDRIVE";

/** A row of ListStateMachines. */
export interface StateMachineListItem {
  stateMachineArn: string;
  name: string;
  type: "STANDARD" | "EXPRESS";
  creationDate: number;
}

/** A row of ListExecutions. */
export interface ExecutionListItem {
  executionArn: string;
  stateMachineArn: string;
  name: string;
  status: ExecutionStatus;
  startDate: number;
  stopDate?: number;
  redriveCount?: number;
  redriveDate?: number;
}

/** Answer of DescribeExecution. */
export interface Execution extends ExecutionListItem {
  input?: string;
  output?: string;
  error?: string;
  cause?: string;
  redriveStatus?: "REDRIVABLE" | "NOT_REDRIVABLE" | "REDRIVABLE_BY_MAP_RUN";
  redriveStatusReason?: string;
}

/** Answer of DescribeStateMachineForExecution. */
export interface StateMachineForExecution {
  stateMachineArn: string;
  name: string;
  definition: string;
  updateDate: number;
}

/**
 * An event of GetExecutionHistory. Besides these fields it has at most one more, `...EventDetails`, whose name depends on the
 * type; see `detailsOf` in history.ts.
 */
export interface HistoryEvent {
  id: number;
  previousEventId?: number;
  timestamp: number;
  type: string;
}

/** A page of any list. */
export interface WithNextToken {
  nextToken?: string;
}

/** Operations by name: what goes in, what comes out. */
export interface Operations {
  ListStateMachines: [
    { maxResults?: number; nextToken?: string },
    { stateMachines: StateMachineListItem[] } & WithNextToken,
  ];
  ListExecutions: [
    { stateMachineArn: string; statusFilter?: ExecutionStatus; maxResults?: number; nextToken?: string },
    { executions: ExecutionListItem[] } & WithNextToken,
  ];
  DescribeExecution: [{ executionArn: string }, Execution];
  DescribeStateMachineForExecution: [{ executionArn: string }, StateMachineForExecution];
  GetExecutionHistory: [
    {
      executionArn: string;
      includeExecutionData?: boolean;
      maxResults?: number;
      nextToken?: string;
      reverseOrder?: boolean;
    },
    { events: HistoryEvent[] } & WithNextToken,
  ];
  StartExecution: [
    { stateMachineArn: string; name?: string; input: string },
    { executionArn: string; startDate: number },
  ];
  StopExecution: [{ executionArn: string; error?: string; cause?: string }, { stopDate: number }];
  RedriveExecution: [{ executionArn: string; clientToken?: string }, { redriveDate: number }];
}

/** Calls an operation. */
export type Call = <Name extends keyof Operations>(
  operation: Name,
  input: Operations[Name][0],
  signal?: AbortSignal,
) => Promise<Operations[Name][1]>;
