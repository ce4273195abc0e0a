/* Identities in words. RFC 7296 3.5 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "config/cfg_dn.h"
#include "config/config.h"

static int set(struct cfg_id *out, enum cfg_id_type type, const void *b, size_t len)
{
	if (!len || len > sizeof(out->b))
		return -EINVAL;
	memset(out, 0, sizeof(*out)); /* equal identities are equal octet by octet */
	out->type = (uint8_t)type;
	out->len = (uint16_t)len;
	memcpy(out->b, b, len);
	return 0;
}

static int nibble(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

static int parse_hex(const char *hex, enum cfg_id_type type, struct cfg_id *out)
{
	uint8_t b[CFG_ID_MAX];
	size_t n = strlen(hex);

	if (n % 2 || n / 2 > sizeof(b))
		return -EINVAL;
	for (size_t i = 0; i < n / 2; i++) {
		int hi = nibble(hex[2 * i]), lo = nibble(hex[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return -EINVAL;
		b[i] = (uint8_t)(hi << 4 | lo);
	}
	return set(out, type, b, n / 2);
}

/* Letters of a host name, and "_", which names in the field do have. */
static bool is_host(const char *s, size_t n)
{
	if (!n || s[0] == '.' || s[0] == '-')
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)s[i]) && !strchr("._-", s[i]))
			return false;
	return true;
}

static bool is_mail(const char *s)
{
	const char *at = strrchr(s, '@');

	if (!at || at == s || !is_host(at + 1, strlen(at + 1)))
		return false;
	for (; s < at; s++)
		if (!isgraph((unsigned char)*s) ||
		    strchr("@\\\"", *s)) /* the last two would be shown as something else */
			return false;
	return true;
}

int cfg_id_parse(const char *s, struct cfg_id *out)
{
	struct ip_addr a;
	bool forced = s[0] == '@'; /* "@10.0.0.1" is a name that looks like an address */

	if (!strncmp(s, "key:", 4))
		return parse_hex(s + 4, CFG_ID_KEY, out);
	if (!strncmp(s, "dn:", 3)) /* the DER itself, for names that cfg_dn.h has no words for */
		return parse_hex(s + 3, CFG_ID_DN, out);
	if (!forced && strchr(s, '=') && cfg_dn_parse(s, out) == 0)
		return 0;
	if (!forced && ip_parse(s, &a) == 0)
		return set(out, a.family == IP_V4 ? CFG_ID_IPV4 : CFG_ID_IPV6, a.b, ip_size(a.family));
	if (is_host(s + forced, strlen(s + forced)))
		return set(out, CFG_ID_FQDN, s + forced, strlen(s + forced));
	if (is_mail(s))
		return set(out, CFG_ID_EMAIL, s, strlen(s));
	return -EINVAL;
}

static const char *str_hex(const char *word, const struct cfg_id *id, char *buf, unsigned cap)
{
	unsigned o = (unsigned)snprintf(buf, cap, "%s:", word);

	for (unsigned i = 0; i < id->len; i++) {
		if (o + 6 > cap) { /* 2 digits, or "...", and NUL */
			if (o + 4 <= cap)
				memcpy(buf + o, "...", 4);
			return buf;
		}
		o += (unsigned)snprintf(buf + o, cap - o, "%02x", id->b[i]);
	}
	return buf;
}

static const char *str_text(const struct cfg_id *id, char *buf, unsigned cap)
{
	char text[CFG_ID_MAX + 1];
	struct cfg_id again;

	memcpy(text, id->b, id->len);
	text[id->len] = '\0';
	/* a name that would be read as something else says so */
	if (id->type == CFG_ID_FQDN && cap > 1 && (cfg_id_parse(text, &again) < 0 || again.type != CFG_ID_FQDN)) {
		buf[0] = '@';
		log_esc(id->b, id->len, buf + 1, cap - 1);
		return buf;
	}
	return log_esc(id->b, id->len, buf, cap);
}

const char *cfg_id_str(const struct cfg_id *id, char *buf, unsigned cap)
{
	uint8_t family = id->type == CFG_ID_IPV4 ? IP_V4 : id->type == CFG_ID_IPV6 ? IP_V6 : IP_NONE;
	char text[IP_STR];
	struct ip_addr a;

	if (cap < 8)
		return "?";
	if (id->len > sizeof(id->b))
		return memcpy(buf, "?", 2);
	if (id->type == CFG_ID_FQDN || id->type == CFG_ID_EMAIL)
		return str_text(id, buf, cap);
	if (family && id->len == ip_size(family)) {
		a = ip_from_bytes(family, id->b);
		snprintf(buf, cap, "%s", ip_str(&a, text));
		return buf;
	}
	if (id->type == CFG_ID_NONE)
		return memcpy(buf, "any", 4);
	if (id->type == CFG_ID_DN && cfg_dn_str(id, buf, cap))
		return buf;
	return str_hex(id->type == CFG_ID_KEY ? "key" : id->type == CFG_ID_DN ? "dn" : "id", id, buf, cap);
}
