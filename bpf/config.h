// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Every macro that user space passes (ppobserve/probe/program_text.py), and no other: numbers of this machine, facts of its
 * kernel, and choices of the plan. What is always there is demanded here. What may be missing is listed, and asked for by
 * #ifdef where it is used.
 */

/* Sizes of the tables. */
#ifndef CPUS /* possible CPUs */
#error "CPUS is missing"
#endif
#ifndef NODES /* NUMA nodes told apart; the others share the row of unknown ones */
#error "NODES is missing"
#endif
#ifndef POOLS /* entries for pools */
#error "POOLS is missing"
#endif
#ifndef GROUPS /* entries and slots for the sums of ended pools, by device */
#error "GROUPS is missing"
#endif
#ifndef SLOTS /* slots for pools: one for each CPU that a pool is used on */
#error "SLOTS is missing"
#endif
#ifndef CELLS /* CPUs in whole stretches: cells of slot_index for each pool */
#error "CELLS is missing"
#endif
#ifndef FOLD_STRETCH /* CPUs whose slots one run of fold_further adds up */
#error "FOLD_STRETCH is missing"
#endif
#ifndef RING_STRETCH /* slots of a ring that one run of sample/kept.c looks at */
#error "RING_STRETCH is missing"
#endif

/* The kernel's constants. */
#ifndef CACHE_PAGES /* length of page_pool.alloc.cache */
#error "CACHE_PAGES is missing"
#endif
#ifndef NODES_SHIFT_IN_FLAGS /* where the node is in page.flags */
#error "NODES_SHIFT_IN_FLAGS is missing"
#endif
#ifndef NODES_MASK /* and how wide it is; 0: a kernel without NUMA */
#error "NODES_MASK is missing"
#endif

/* Where functions begin and end; 0: this kernel has none of that name. */
#if !defined(REFILL_START) || !defined(REFILL_END)
#error "REFILL_START or REFILL_END is missing"
#endif
#if !defined(DESTROY_START) || !defined(DESTROY_END)
#error "DESTROY_START or DESTROY_END is missing"
#endif
#if !defined(RELEASE_RETRY_START) || !defined(RELEASE_RETRY_END)
#error "RELEASE_RETRY_START or RELEASE_RETRY_END is missing"
#endif
#if !defined(UPDATE_NID_START) || !defined(UPDATE_NID_END)
#error "UPDATE_NID_START or UPDATE_NID_END is missing"
#endif

/* Offsets of members, in bytes from the start of their struct. */
#ifndef PP_NID /* page_pool.p.nid */
#error "PP_NID is missing"
#endif
#ifndef PP_DEV /* page_pool.p.dev */
#error "PP_DEV is missing"
#endif
#ifndef PP_ORDER /* page_pool.p.order */
#error "PP_ORDER is missing"
#endif
#ifndef PP_ALLOC_COUNT /* page_pool.alloc.count */
#error "PP_ALLOC_COUNT is missing"
#endif
#ifndef PP_ALLOC_CACHE /* page_pool.alloc.cache */
#error "PP_ALLOC_CACHE is missing"
#endif
#ifndef PP_RING_PRODUCER /* page_pool.ring.producer */
#error "PP_RING_PRODUCER is missing"
#endif
#ifndef PP_RING_CONSUMER_HEAD /* page_pool.ring.consumer_head */
#error "PP_RING_CONSUMER_HEAD is missing"
#endif
#ifndef PP_RING_SIZE /* page_pool.ring.size */
#error "PP_RING_SIZE is missing"
#endif
#ifndef PP_RING_QUEUE /* page_pool.ring.queue */
#error "PP_RING_QUEUE is missing"
#endif
#ifndef PP_HOLD_CNT /* page_pool.pages_state_hold_cnt */
#error "PP_HOLD_CNT is missing"
#endif
#ifndef PP_RELEASE_CNT /* page_pool.pages_state_release_cnt */
#error "PP_RELEASE_CNT is missing"
#endif
#ifndef PP_USER_CNT /* page_pool.user_cnt */
#error "PP_USER_CNT is missing"
#endif
#ifndef PAGE_FLAGS /* page.flags */
#error "PAGE_FLAGS is missing"
#endif
#ifndef PAGE_REFCOUNT /* page._refcount */
#error "PAGE_REFCOUNT is missing"
#endif
#ifndef PAGE_LRU /* page.lru */
#error "PAGE_LRU is missing"
#endif
#ifndef NAPI_DEV /* napi_struct.dev */
#error "NAPI_DEV is missing"
#endif
#ifndef NAPI_ID /* napi_struct.napi_id */
#error "NAPI_ID is missing"
#endif
#ifndef NETDEV_NAME /* net_device.name */
#error "NETDEV_NAME is missing"
#endif
#ifndef NETDEV_IFINDEX /* net_device.ifindex */
#error "NETDEV_IFINDEX is missing"
#endif
#ifndef NETDEV_NET /* net_device.nd_net */
#error "NETDEV_NET is missing"
#endif
#ifndef NETDEV_DEV /* net_device.dev */
#error "NETDEV_DEV is missing"
#endif
#ifndef NETDEV_LINK_OPS /* net_device.rtnl_link_ops */
#error "NETDEV_LINK_OPS is missing"
#endif
#ifndef NET_INUM /* net.ns.inum */
#error "NET_INUM is missing"
#endif
#ifndef LINK_OPS_KIND /* rtnl_link_ops.kind */
#error "LINK_OPS_KIND is missing"
#endif
#ifndef DEVICE_NAME /* device.kobj.name */
#error "DEVICE_NAME is missing"
#endif
#ifndef DEVICE_CLASS /* device.class */
#error "DEVICE_CLASS is missing"
#endif
#ifndef DEVICE_PARENT /* device.parent */
#error "DEVICE_PARENT is missing"
#endif
#ifndef DEVICE_DRIVER /* device.driver */
#error "DEVICE_DRIVER is missing"
#endif
#ifndef CLASS_NAME /* class.name */
#error "CLASS_NAME is missing"
#endif
#ifndef DRIVER_NAME /* device_driver.name */
#error "DRIVER_NAME is missing"
#endif

/*
 * Offsets of members that a kernel may lack. The commit that brought or removed one stands where it is used.
 *
 * PP_NAPI                   page_pool.p.napi
 * PP_SLOW_NETDEV            page_pool.slow.netdev
 * PP_USER_ID                page_pool.user.id
 * PP_DETACH_TIME            page_pool.user.detach_time
 * PP_DESTROY_CNT            page_pool.destroy_cnt
 * PP_QUEUE                  page_pool.slow.queue_idx
 * PP_CPU                    page_pool.cpuid
 * PP_PROVIDER               page_pool.mp_priv
 * DEVICE_NODE               device.numa_node
 * PP_RELEASE_DW             page_pool.release_dw
 * PP_FRAG_USERS             page_pool.frag_users
 * PP_FRAG_PAGE              page_pool.frag_page
 * PP_ALLOC_FAST             page_pool.alloc_stats.fast
 * PP_ALLOC_SLOW             page_pool.alloc_stats.slow
 * PP_ALLOC_SLOW_HIGH_ORDER  page_pool.alloc_stats.slow_high_order
 * PP_ALLOC_EMPTY            page_pool.alloc_stats.empty
 * PP_ALLOC_REFILL           page_pool.alloc_stats.refill
 * PP_ALLOC_WAIVE            page_pool.alloc_stats.waive
 * PP_RECYCLE_STATS          page_pool.recycle_stats
 * RECYCLE_CACHED            page_pool_recycle_stats.cached
 * RECYCLE_RING              page_pool_recycle_stats.ring
 * RECYCLE_RING_FULL         page_pool_recycle_stats.ring_full
 * RECYCLE_RELEASED_REF      page_pool_recycle_stats.released_refcnt
 * PAGE_PP_MAGIC             page.pp_magic
 * PAGE_INDEX                page.index
 * NAPI_OWNER                napi_struct.list_owner
 *
 * Of counters that the kernel keeps itself (CONFIG_PAGE_POOL_STATS):
 *
 * PER_CPU_OFFSET            address of __per_cpu_offset
 * SYSTEM_RECYCLE_STATS      address of pp_system_recycle_stats; 0: none
 *
 * Choices of the plan, 1 where they are made:
 *
 * HOOK_name                 this hook is part of the plan (model/hooks.py)
 * BY_TRAMPOLINE             functions are hooked by fentry and fexit, else by kprobe and kretprobe
 * REASON_BY_STATE           functions are hooked, which tells why a page is returned; else its callers are asked
 * REFILL_BY_EXIT            a refill is seen where it ends, and nowhere else
 * MISMATCH_FROM_RING        returns are not hooked: mismatches are told by the ring
 * INLINED_REFILL            the kernel has the refill inside the allocation
 * FRAG_ALLOCATES            the kernel has the allocation inside the fragment's function
 * CREATE_PERCPU             page_pool_create_percpu() makes the pools
 *
 * Choices of a trace (bpf/trace/send.h):
 *
 * EVENTS                    what is asked for, a bit for each kind
 * LIMIT                     events a second and CPU; 0: all
 * STACK                     callers that go with an event; 0: none
 * RING_PAGES, PAGE_SIZE     size of the ring buffer, where the kernel has one
 * ONLY_NETDEVS, ONLY_NODES  the maps of that name say what is wanted
 */
