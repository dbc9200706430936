package remus.zookeeper;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.function.Consumer;
import java.util.function.Function;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.api.BackgroundCallback;
import org.apache.curator.framework.api.CuratorEvent;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.data.ACL;
import remus.base.Invariant;
import remus.zookeeper.VersionedNodes.Answer.Absent;
import remus.zookeeper.VersionedNodes.Answer.Broken;
import remus.zookeeper.VersionedNodes.Answer.Denied;
import remus.zookeeper.VersionedNodes.Answer.Different;
import remus.zookeeper.VersionedNodes.Answer.Node;
import remus.zookeeper.VersionedNodes.Answer.Ok;

/**
 * Nodes by way of Curator's background requests, each sent at most once: Curator's own retries would hide whether an answer
 * belongs to the first attempt. Nodes are persistent; none is tied to a session. Answers come on {@code executor}.
 */
final class CuratorNodes implements VersionedNodes {
    private final CuratorFramework client;
    private final Executor executor;
    private final List<ACL> acl;

    CuratorNodes(CuratorFramework client, Executor executor, List<ACL> acl) {
        this.client = client;
        this.executor = executor;
        this.acl = List.copyOf(acl);
    }

    @Override
    public void get(String path, Consumer<? super Answer> answer) {
        send(
                answer,
                event -> new Node(
                        new String(event.getData(), StandardCharsets.UTF_8),
                        event.getStat().getVersion()),
                callback -> client.getData().inBackground(callback, executor).forPath(path));
    }

    @Override
    public void confirm(String path, int version, Consumer<? super Answer> answer) {
        send(
                answer,
                _ -> new Ok(),
                callback -> client.transaction()
                        .inBackground(callback, executor)
                        .forOperations(client.transactionOp()
                                .check()
                                .withVersion(version)
                                .forPath(path)));
    }

    @Override
    public void create(String path, String text, Consumer<? super Answer> answer) {
        send(
                answer,
                _ -> new Ok(),
                callback -> client.create()
                        .withMode(CreateMode.PERSISTENT)
                        .withACL(acl)
                        .inBackground(callback, executor)
                        .forPath(path, text.getBytes(StandardCharsets.UTF_8)));
    }

    @Override
    public void set(String path, String text, int version, Consumer<? super Answer> answer) {
        Invariant.check(version >= 0, "version=%d would overwrite anything", version);
        send(
                answer,
                _ -> new Ok(),
                callback -> client.setData()
                        .withVersion(version)
                        .inBackground(callback, executor)
                        .forPath(path, text.getBytes(StandardCharsets.UTF_8)));
    }

    private interface Request {
        void send(BackgroundCallback callback) throws Exception;
    }

    private void send(Consumer<? super Answer> answer, Function<CuratorEvent, Answer> success, Request request) {
        try {
            request.send((_, event) -> answer.accept(answer(event, success)));
        } catch (Exception e) {
            // Curator declares Exception; it refuses requests while it closes. Whether this one left is not known.
            executor.execute(() -> answer.accept(new Broken("the request could not be sent: " + e.getMessage())));
        }
    }

    private static Answer answer(CuratorEvent event, Function<CuratorEvent, Answer> success) {
        Code code = Code.get(event.getResultCode());
        if (code == null) {
            return new Denied("ZooKeeper answers with an unknown code, " + event.getResultCode());
        }
        return switch (code) {
            case OK -> success.apply(event);
            case NONODE -> new Absent();
            case BADVERSION, NODEEXISTS -> new Different();
            case NOAUTH, INVALIDACL, AUTHFAILED, SESSIONCLOSEDREQUIRESASLAUTH ->
                new Denied("ZooKeeper does not let this host use the record (" + code
                        + "): see that all hosts have the same credential");
            case CONNECTIONLOSS -> new Broken("the connection to ZooKeeper was lost");
            case SESSIONEXPIRED -> new Broken("the session at ZooKeeper expired");
            case OPERATIONTIMEOUT, REQUESTTIMEOUT, SESSIONMOVED, THROTTLEDOP, SYSTEMERROR, NOTREADONLY ->
                new Broken("ZooKeeper could not do it now (" + code + ")");
            default -> new Denied("ZooKeeper refuses the request (" + code + ")");
        };
    }
}
