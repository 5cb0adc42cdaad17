// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Why a page is returned. Where functions are hooked (REASON_BY_STATE), by what its pool is going through: a refill of it
 * on this CPU, its end, a move to another node. Where the kernel refuses that, by what the callers say. Else the page
 * itself tells.
 */
#include "cpu.h"
#include "page.h"

#ifdef REASON_BY_STATE
static u32 reason_by_state(struct cpu *c, u64 pool, bool torn_down, u64 netmem)
{
	if (is_refilling(c, pool))
		return RETURN_NUMA;
	if (torn_down)
		return RETURN_TEARDOWN;
	return is_flushed(c, pool) ? RETURN_NID_UPDATE : page_reason(netmem);
}
#else
#define FRAMES               10 /* tracepoint glue (up to 4 frames), return, refill, and room */

struct callers {
	u64 ip[FRAMES];
};
BPF_PERCPU_ARRAY(callers, struct callers, 1);

/* A function that this kernel does not have begins and ends at 0. */
#define INSIDE(ip, function) ((ip) - function##_START < function##_END - function##_START)

static u32 reason_of_caller(u64 ip)
{
	if (INSIDE(ip, REFILL))
		return RETURN_NUMA;
	if (INSIDE(ip, DESTROY) || INSIDE(ip, RELEASE_RETRY))
		return RETURN_TEARDOWN;
	return INSIDE(ip, UPDATE_NID) ? RETURN_NID_UPDATE : RETURNS;
}

/* What the callers say, else what the page says. */
static u32 reason_by_callers(void *ctx, u64 netmem)
{
	u32 zero = 0, reason = RETURNS;
	struct callers *c = callers.lookup(&zero);

	if (!c)
		return RETURN_OTHER;
	__builtin_memset(c, 0, sizeof(*c));
	bpf_get_stack(ctx, c, sizeof(*c), 0);
#pragma unroll
	for (int i = 0; i < FRAMES; i++)
		if (reason == RETURNS)
			reason = reason_of_caller(c->ip[i]);
	return reason == RETURNS ? page_reason(netmem) : reason;
}
#endif
