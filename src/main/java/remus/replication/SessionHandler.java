package remus.replication;

import remus.base.Term;
import remus.wire.Hello;
import remus.wire.HostAnswer;
import remus.wire.OwnerAnswer;

/**
 * What a host does about those who connect to its replication port. Called on a thread of the connection, many at a
 * time; each call may take a while without disturbing others.
 */
public interface SessionHandler {
    /**
     * A primary wants to begin or resume a session. The connection, its hello and its term belong to the callee from now
     * on: it answers with {@link BackupConnection#welcome} or {@link BackupConnection#refuse}, may hand the connection to
     * another thread, and closes it. A primary that got no READY repeats {@code NEW} under the same term when its
     * connection breaks: the later one replaces the earlier.
     */
    void session(Hello hello, BackupConnection connection);

    /** Somebody asks what this host is; the answer's clock is read last. */
    HostAnswer host();

    /** Somebody asks who owns {@code vm}. */
    OwnerAnswer answer(String vm);

    /**
     * The owner of {@code term} takes over {@code vm}: stop it here, release nothing any more, and answer when that is
     * done ({@code FENCED}, or what else is the case).
     */
    OwnerAnswer fence(String vm, Term term);
}
