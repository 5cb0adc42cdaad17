// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Why a page is returned, where functions are hooked: what its pool is going through. A refill of it on this CPU, its
 * end, a move to another node; else the page itself tells.
 */

static u32 reason_by_state(struct cpu *c, u64 pool, bool torn_down, u64 netmem)
{
	if (is_refilling(c, pool))
		return RETURN_NUMA;
	if (torn_down)
		return RETURN_TEARDOWN;
	return is_flushed(c, pool) ? RETURN_NID_UPDATE : page_reason(netmem);
}
