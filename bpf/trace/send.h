// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * An event as it happens, to user space. Filters and limit come first, here, so that what nobody wants is not copied.
 *
 * Chosen by the loader: EVENTS (a bit a kind), LIMIT (events a second and CPU; 0: all), RING_PAGES of PAGE_SIZE (where the
 * kernel has a ring buffer), ONLY_NETDEVS, ONLY_NODES (what is wanted is in the maps).
 */
#include "identity.h"
#include "trace/event.h"

struct name {
	char text[NAME_BYTES];
};

/* The ring: kernel commit 457f44363a88 ("bpf: Implement BPF ring buffer", 5.8). Its reader looks by itself. */
#ifdef RING_PAGES
#define RING_NO_WAKEUP 1
BPF_RINGBUF_OUTPUT(events, RING_PAGES);
#else
BPF_PERF_OUTPUT(events);
#endif
BPF_F_TABLE("array", u32, struct tally, tallies, CPUS, BPF_F_MMAPABLE);
BPF_TABLE("hash", struct name, u8, netdevs, 1024);
BPF_TABLE("hash", u32, u8, nodes, 1024);

static bool is_wanted_netdev(struct name *netdev)
{
#ifdef ONLY_NETDEVS
	return netdevs.lookup(netdev) != 0;
#else
	return true;
#endif
}

/* An event is about the node of its CPU, of its page, and the one that was wanted. */
static bool is_wanted_node(struct event *e)
{
#ifdef ONLY_NODES
	return nodes.lookup(&e->node) || nodes.lookup(&e->page_node) || nodes.lookup(&e->wanted_node);
#else
	return true;
#endif
}

/* One CPU's share of the limit is its own: there is no fetch-and-add for programs before 5.12 (see table.h). */
static bool over_limit(struct tally *t, u64 now)
{
#if LIMIT
	if (now - t->second >= 1000000000ULL) {
		t->second = now;
		t->taken = 0;
	}
	if (t->taken >= LIMIT) {
		__sync_fetch_and_add(&t->limited, 1);
		return true;
	}
	t->taken++;
#endif
	return false;
}

static void read_netdev(struct event *e, struct name *name, u64 pool)
{
	u64 netdev = pp_netdev(pool);

	if (!netdev)
		return;
	e->ifindex = read_u32(netdev + NETDEV_IFINDEX);
	e->netns = read_u32(read_u64(netdev + NETDEV_NET) + NET_INUM);
	bpf_probe_read_kernel_str(name->text, NAME_BYTES, (void *)(netdev + NETDEV_NAME));
}

static bool send(void *ctx, struct event *e)
{
#ifdef RING_PAGES
	return events.ringbuf_output(e, sizeof(*e), RING_NO_WAKEUP) == 0;
#else
	return events.perf_submit(ctx, e, sizeof(*e)) == 0;
#endif
}

/* Is it worth a look at the stack? Asked where that is what an event costs. */
static bool may_be_wanted(u64 pool)
{
#ifdef ONLY_NETDEVS
	struct event e = {};
	struct name netdev = {};

	read_netdev(&e, &netdev, pool);
	return is_wanted_netdev(&netdev);
#else
	return true;
#endif
}

/* Send an event of which kind, nodes, reason and pages are set. */
static void tell(void *ctx, struct event *e, u64 pool)
{
	struct name netdev = {};
	struct tally *t;

	e->cpu = bpf_get_smp_processor_id();
	e->node = bpf_get_numa_node_id();
	t = tallies.lookup(&e->cpu);
	read_netdev(e, &netdev, pool);
	if (!t || !is_wanted_netdev(&netdev) || !is_wanted_node(e))
		return;
	e->ns = bpf_ktime_get_ns();
	if (over_limit(t, e->ns))
		return;
	e->pool = pool;
	e->pid = bpf_get_current_pid_tgid();
	e->id = pp_id(pool);
	e->napi_id = pp_napi_id(pool);
	e->nid = pp_nid(pool);
	__builtin_memcpy(e->netdev, netdev.text, NAME_BYTES);
	bpf_get_current_comm(e->comm, sizeof(e->comm));
#if STACK
	e->stack_bytes = bpf_get_stack(ctx, e->stack, sizeof(e->stack), 0);
#endif
	if (!send(ctx, e))
		__sync_fetch_and_add(&t->lost, 1);
}
