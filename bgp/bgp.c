#include "bgp/bgp.h"

XLIST_NAME(bgp_state_name, BGP_STATE_N, BGP_STATES)
