/* See failure.h. The openings of 502 for what was not reached, and of 504, are the Agent Sandbox router's whole texts.
 */
#include "services/router/http/failure.h"

#define NOT_REACHED "Could not connect to the backend sandbox"
#define TIMED_OUT "Timed out waiting for the backend sandbox"

const FailureKind FAILURES[FAILURE_N] = {
    [FAILURE_NO_SANDBOX] = {"no_sandbox", "dial", 502, NOT_REACHED},
    [FAILURE_FORBIDDEN] = {"forbidden", "other", 403, "forbidden"},
    [FAILURE_NOT_CLAIMED] = {"not_claimed", "dial", 502, NOT_REACHED},
    [FAILURE_ENDED] = {"ended", "dial", 502, NOT_REACHED},
    [FAILURE_UNREACHABLE] = {"unreachable", "dial", 502, NOT_REACHED},
    [FAILURE_REFUSED] = {"refused", "dial", 502, NOT_REACHED},
    [FAILURE_PORT_CLOSED] = {"port_closed", "dial", 502, NOT_REACHED},
    [FAILURE_NO_ANSWER] = {"no_answer", "eof", 502, "No answer from the backend sandbox"},
    [FAILURE_NOT_HTTP] = {"not_http", "other", 502, "No HTTP answer from the backend sandbox"},
    [FAILURE_CUT] = {"cut", "eof", 502, "Incomplete answer of the backend sandbox"},
    [FAILURE_CONNECT_TIMEOUT] = {"connect_timeout", "timeout", 504, TIMED_OUT},
    [FAILURE_TIMEOUT] = {"timeout", "timeout", 504, TIMED_OUT},
    [FAILURE_NO_STATE] = {"no_state", "other", 503, "The state store does not answer, try again for the sandbox"},
};
