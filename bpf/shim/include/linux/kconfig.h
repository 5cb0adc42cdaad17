#pragma once
/* BCC refuses to compile unless the kernel's configuration says that it has the bpf() system call. */
#define CONFIG_BPF_SYSCALL 1
#define CONFIG_PERF_EVENTS 1
