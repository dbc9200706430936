package remus.host;

import remus.api.FailoverRequest;
import remus.api.HostStatus;
import remus.api.MigrateRequest;
import remus.api.MigrationStatus;
import remus.api.ProtectRequest;
import remus.api.StartRequest;
import remus.api.VmStatus;

/**
 * What can be asked of a host over its HTTP API. Called from many threads at once, each of which may block until the
 * operation is done or refused; every operation answers with the VM's state afterwards.
 */
public interface HostOperations {
    HostStatus status();

    /** Gives all VMs away from now on and takes none; returns at once, {@link #status} says how far it is. */
    HostStatus drain();

    /** Takes VMs again. */
    HostStatus undoDrain();

    VmStatus status(String vm) throws OperationException;

    /** Boots a VM, unprotected; when its definition names a backup, protection begins by itself afterwards. */
    VmStatus start(StartRequest request) throws OperationException;

    /** Begins to protect a VM and returns before the backup is synchronized. */
    VmStatus protect(String vm, ProtectRequest request) throws OperationException;

    /**
     * Ends the protection of a VM when its backup has signed off; with {@code force} at once, on the operator's word that
     * the backup does not run the VM.
     */
    VmStatus unprotect(String vm, boolean force) throws OperationException;

    /** Has a VM stand still until {@link #resume}, also on whichever host takes it over meanwhile. */
    VmStatus pause(String vm) throws OperationException;

    /** Lets a VM go on that was paused. */
    VmStatus resume(String vm) throws OperationException;

    /** Hands a VM over to its backup, and returns when it runs there; the reason says for how long it stood still. */
    VmStatus switchover(String vm) throws OperationException;

    /** Begins to move a VM to another host, and returns before anything is copied. */
    MigrationStatus migrate(String vm, MigrateRequest request) throws OperationException;

    /** How far the migration of a VM from this host is, or how the last one went. */
    MigrationStatus migration(String vm) throws OperationException;

    /** Gives up a migration that is not over: the VM goes on here. */
    MigrationStatus cancelMigration(String vm) throws OperationException;

    /** Ends a VM, after its protection. */
    VmStatus stop(String vm) throws OperationException;

    /** Activates a VM on this host, its backup, and returns when it runs here. */
    VmStatus failover(String vm, FailoverRequest request) throws OperationException;
}
