# A guest for processors whose KVM runs 64-bit user code only: a boot sector that goes to long mode and then to ring 3,
# where it counts at 0x600000 and writes words all over the 16384 pages from 0x2000000 on.

.equ TABLES, 0x70000
.equ COUNTER, 0x600000
.equ WINDOW, 0x2000000
.equ TABLE_FLAGS, 7
.equ LARGE_PAGE_FLAGS, 0x87
.equ EFER, 0xc0000080

.code16
.globl _start
_start:
    cli
    xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movw $0x7c00, %sp
    lgdt table_pointer
    movl %cr0, %eax
    orb $1, %al
    movl %eax, %cr0
    ljmp $0x18, $protected

.code32
protected:
    # No interrupt may come: there is nobody to handle it.
    movb $0xff, %al
    outb %al, $0x21
    outb %al, $0xa1
    movw $0x10, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    # One page table of each of the upper two levels, and the first GiB in pages of 2 MiB.
    movl $TABLES, %edi
    xorl %eax, %eax
    movl $(3 * 1024), %ecx
    cld
    rep stosl
    movl $(TABLES + 0x1000 + TABLE_FLAGS), TABLES
    movl $(TABLES + 0x2000 + TABLE_FLAGS), TABLES + 0x1000
    movl $(TABLES + 0x2000), %edi
    movl $LARGE_PAGE_FLAGS, %eax
entry:
    movl %eax, (%edi)
    addl $8, %edi
    addl $0x200000, %eax
    cmpl $(TABLES + 0x3000), %edi
    jb entry
    movl %cr4, %eax
    orl $0x20, %eax
    movl %eax, %cr4
    movl $TABLES, %eax
    movl %eax, %cr3
    movl $EFER, %ecx
    rdmsr
    orl $0x100, %eax
    wrmsr
    movl %cr0, %eax
    orl $0x80000000, %eax
    movl %eax, %cr0
    ljmp $0x08, $long_mode

.code64
long_mode:
    pushq $0x2b
    pushq $0x7c00
    pushq $0x3002
    pushq $0x23
    pushq $user
    iretq

user:
    movq $12345, %rbx
    movabsq $6364136223846793005, %r8
next:
    imulq %r8, %rbx
    addq $1442695, %rbx
    movq %rbx, %rdi
    shrq $50, %rdi
    shlq $12, %rdi
    addq $WINDOW, %rdi
    movq %rbx, 8(%rdi)
    incq COUNTER
    movl $SPIN, %ecx
spin:
    decl %ecx
    jnz spin
    jmp next

.balign 8
table:
    .quad 0
    .quad 0x00af9b000000ffff
    .quad 0x00cf93000000ffff
    .quad 0x00cf9b000000ffff
    .quad 0x00affb000000ffff
    .quad 0x00cff3000000ffff
table_pointer:
    .word 47
    .long table

.org 510
.word 0xaa55
