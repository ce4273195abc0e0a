#include "controlplane/status_req.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rd.h"
#include "base/log.h"
#include "base/xalloc.h"

XLIST_NAME(status_req_show_name, STATUS_SHOW_N, STATUS_SHOWS)
XLIST_NAME(status_req_action_name, STATUS_ACTION_N, STATUS_ACTIONS)

int status_req_frame(struct status_frame *f, const void *data, size_t len, size_t *used)
{
	const uint8_t *p = data;
	size_t n;

	*used = 0;
	while (f->n_head < sizeof(f->head) && *used < len)
		f->head[f->n_head++] = p[(*used)++];
	if (f->n_head < sizeof(f->head))
		return 0;
	if (!f->body) {
		struct rd r = rd_of(f->head, sizeof(f->head));

		f->len = rd_u32(&r);
		if (!f->len || f->len > STATUS_FRAME_MAX)
			return -EMSGSIZE;
		f->body = xcalloc(1, f->len);
	}
	n = u64_min(len - *used, f->len - f->got);
	if (n)
		memcpy(f->body + f->got, p + *used, n);
	f->got += (uint32_t)n;
	*used += n;
	return f->got == f->len;
}

void status_req_reset(struct status_frame *f)
{
	free(f->body);
	*f = (struct status_frame){0};
}

/* "one of a, b, c" into why. Backticks: gwctl escapes quotes. */
static int bad_word(const char *key, const char *got, const char *(*name)(unsigned), unsigned n, char *why, size_t cap)
{
	char text[80];
	size_t at;

	at = (size_t)snprintf(why, cap, "`%s` is %s%s%s; write one of", key, got ? "`" : "missing",
			      got ? log_esc(got, strlen(got), text, sizeof(text)) : "", got ? "`" : "");
	for (unsigned i = 0; i < n && at < cap; i++)
		at += (size_t)snprintf(why + at, cap - at, "%s %s", i ? "," : "", name(i));
	return -EINVAL;
}

static int word_of(const json_t *o, const char *key, const char *(*name)(unsigned), unsigned n, char *why, size_t cap)
{
	const char *s = json_string_value(json_object_get(o, key));

	for (unsigned i = 0; s && i < n; i++)
		if (!strcmp(s, name(i)))
			return (int)i;
	return bad_word(key, s, name, n, why, cap);
}

static int bool_of(const json_t *o, const char *key, bool *out, char *why, size_t cap)
{
	const json_t *v = json_object_get(o, key);

	*out = json_is_true(v);
	if (!v || json_is_boolean(v))
		return 0;
	snprintf(why, cap, "`%s` takes true or false", key);
	return -EINVAL;
}

/* Absent: out stays. */
static int prefix_of(const json_t *o, const char *key, struct ip_prefix *out, char *why, size_t cap)
{
	const json_t *v = json_object_get(o, key);
	const char *s = json_string_value(v);

	if (!v || (s && !*s))
		return 0;
	if (s && !ip_prefix_parse(s, false, out))
		return 0;
	snprintf(why, cap, "`%s` takes an address or a prefix: 10.1.0.0/16", key);
	return -EINVAL;
}

static int count_of(const json_t *o, const char *key, uint32_t lo, uint32_t hi, uint32_t *out, char *why, size_t cap)
{
	const json_t *v = json_object_get(o, key);

	if (!v)
		return 0;
	if (!json_is_integer(v) || json_integer_value(v) < lo || json_integer_value(v) > hi) {
		snprintf(why, cap, "`%s` takes a number, %u to %u", key, lo, hi);
		return -EINVAL;
	}
	*out = (uint32_t)json_integer_value(v);
	return 0;
}

static int name_of(const json_t *o, const char *of_what, struct status_req *out, size_t max, char *why, size_t cap)
{
	const char *name = json_string_value(json_object_get(o, "name"));

	if (!name || !*name || strlen(name) >= max) {
		snprintf(why, cap, "`name` takes the name of a %s (1 to %zu characters)", of_what, max - 1);
		return -EINVAL;
	}
	snprintf(out->name, sizeof(out->name), "%s", name);
	return 0;
}

/* What the question is about, beyond its noun. */
static int take_object(const json_t *o, struct status_req *out, char *why, size_t cap)
{
	const char *key = out->show == STATUS_FIB ? "address" : "prefix";
	int rc;

	switch (out->show) {
	case STATUS_BGP_NEIGHBOR:
	case STATUS_BGP_RECEIVED:
	case STATUS_BGP_ROUTES:
	case STATUS_BGP_ADVERTISED:
		return name_of(o, "BGP peer", out, sizeof(out->name), why, cap);
	case STATUS_FIB:
	case STATUS_BGP_ROUTE:
		rc = prefix_of(o, key, &out->prefix, why, cap);
		if (!rc && out->prefix.addr.family != IP_NONE)
			return 0;
		if (!rc)
			snprintf(why, cap, "`%s` is missing: write the one to look for", key);
		return -EINVAL;
	default:
		return 0;
	}
}

static int take_show(const json_t *o, struct status_req *out, char *why, size_t cap)
{
	int what = word_of(o, "what", status_req_show_name, STATUS_SHOW_N, why, cap);

	if (what < 0)
		return what;
	out->show = (enum status_show)what;
	out->max = STATUS_ROWS_DEFAULT;
	if (bool_of(o, "all", &out->all, why, cap) || prefix_of(o, "after", &out->after, why, cap) ||
	    count_of(o, "max", 1, STATUS_ROWS_MAX, &out->max, why, cap))
		return -EINVAL;
	return take_object(o, out, why, cap);
}

static int take_tunnel(const json_t *o, struct status_req *out, char *why, size_t cap)
{
	int action = word_of(o, "action", status_req_action_name, STATUS_ACTION_N, why, cap);

	if (action < 0)
		return action;
	if (name_of(o, "tunnel", out, CFG_NAME_MAX, why, cap))
		return -EINVAL;
	if (json_object_get(o, "wait_s") && count_of(o, "wait_s", 0, STATUS_WAIT_MAX_S, &out->wait_s, why, cap)) {
		snprintf(why, cap, "`wait_s` takes seconds, 0 to %d", STATUS_WAIT_MAX_S);
		return -EINVAL;
	}
	out->action = (enum status_action)action;
	return bool_of(o, "ike", &out->ike, why, cap);
}

static int take_bgp(const json_t *o, struct status_req *out, char *why, size_t cap)
{
	const char *action = json_string_value(json_object_get(o, "action"));

	if (!action || strcmp(action, "clear")) {
		snprintf(why, cap, "`action` takes `clear`");
		return -EINVAL;
	}
	if (name_of(o, "BGP peer", out, sizeof(out->name), why, cap))
		return -EINVAL;
	return bool_of(o, "soft", &out->soft, why, cap);
}

int status_req_parse(const char *json, size_t len, struct status_req *out, char *why, size_t cap)
{
	json_error_t e;
	json_t *o = json_loadb(json, len, JSON_REJECT_DUPLICATES, &e);
	const char *op;
	char text[120];
	int rc;

	*out = (struct status_req){0};
	if (!json_is_object(o)) {
		snprintf(why, cap, "not a JSON object: %s",
			 o ? "write {\"op\": ...}" : log_esc(e.text, strlen(e.text), text, sizeof(text)));
		json_decref(o);
		return -EINVAL;
	}
	op = json_string_value(json_object_get(o, "op"));
	if (op && !strcmp(op, "show")) {
		out->op = STATUS_SHOW;
		rc = take_show(o, out, why, cap);
	} else if (op && !strcmp(op, "tunnel")) {
		out->op = STATUS_TUNNEL;
		rc = take_tunnel(o, out, why, cap);
	} else if (op && !strcmp(op, "bgp")) {
		out->op = STATUS_BGP;
		rc = take_bgp(o, out, why, cap);
	} else {
		snprintf(why, cap, "unknown `op` %s; write `show`, `tunnel` or `bgp`",
			 op ? log_esc(op, strlen(op), text, sizeof(text)) : "(none)");
		rc = -EINVAL;
	}
	json_decref(o);
	return rc;
}
