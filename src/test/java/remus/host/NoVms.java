package remus.host;

import java.util.List;

/** A host without VMs, as one that is being drained sees it. */
class NoVms implements HostDrain.Host {
    @Override
    public List<HostDrain.Present> present() {
        return List.of();
    }

    @Override
    public String switchOver(String vm) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void relieve(String vm, String why) {
        throw new UnsupportedOperationException();
    }

    @Override
    public HostDrain.Whereabouts whereabouts(String vm, String owner, List<String> backups) {
        throw new UnsupportedOperationException();
    }
}
