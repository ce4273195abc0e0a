/* Algorithms that are kept for old peers only (RFC 8221, 8247): each tunnel's use of each is told once. */
#pragma once

#include "controlplane/ike/child.h"
#include "controlplane/ike/core.h"
#include "controlplane/ike/sa.h"

/* What this SA, or this child of it, has agreed on. */
void weak_tell_ike(struct ike *k, const struct ike_sa *sa);
void weak_tell_child(struct ike *k, const struct ike_sa *sa, const struct ike_child *c);
