/*
 * One owner of a VM: two hosts, an arbiter with one record, and what lies between them. README.md says how this maps to
 * the code, what is left out and what was found; ./check verifies it.
 *
 * Nothing here has a clock, so all that takes time takes any time: a host that is paused or slow does nothing for a
 * while, a message that is lost is never taken, and a failure detector may be wrong at any moment. Only crashes, daemons
 * started anew and guests that die are counted (HARM).
 *
 * One frame, which the checker chooses, stands for all: what holds of any frame at any moment holds of each.
 */

#ifndef TERMS
#define TERMS   4               /* last term of the record while faults happen */
#endif
#ifndef EPOCHS
#define EPOCHS  2               /* checkpoints of a session */
#endif
#ifndef HARM
#define HARM    1               /* crashes, restarts of a daemon, deaths of a guest */
#endif
#ifdef PROGRESS
#define ROOM    5               /* terms that may follow once faults have ended */
#else
#define ROOM    0
#endif
#define ALL     (TERMS + ROOM + 2)

/* Where a host stands: PrimaryState and BackupState of the code, of which it has one at a time. */
#define NOTHING         0       /* Gone, Dropped, or just started */
#define ALONE           1
#define OPENING         2
#define SYNCHRONIZING   3
#define JOINING         4
#define ENTERING        5
#define PROTECTED       6
#define WOKEN           7
#define LEAVING         8
#define GOING_ALONE     9
#define BEQUEATHING     10
#define WAITING         11
#define RECEIVING       12
#define STANDING        13
#define CHECKING        14
#define REQUESTING      15
#define ACTIVATING      16
#define CONFIRMING      17

/* Phases of the record; 0 where no change is wanted. */
#define BE_ALONE        1
#define BE_PROTECTED    2
#define BE_ACTIVATING   3

/* An inquiry's step, and the answer that lies in the host's mailbox. */
#define IDLE    0
#define READING 1
#define SETTING 2
#define REFUSED 3               /* though nothing had changed: rests until it asks again */
#define SAW     1               /* the record, read or with a refusal */
#define DONE    2

/* What became of an inquiry. */
#define PENDING 0
#define SEEN    1
#define GRANTED 2

/* A primary's hello on a new connection. */
#define ASKED    1
#define WELCOMED 2

/* Bit fields keep a state small: a term has 4 bits, a role 5, an epoch 2. */
typedef Record { unsigned term : 4; unsigned phase : 2; bit owner; unsigned id : 2 }

typedef Host {
    unsigned role : 5;
    unsigned rec : 4;           /* term of the record it goes by; each term has one record */
    unsigned session : 4;       /* term of its session, or 0 */
    unsigned acked : 2;         /* primary: acknowledged epochs of the session */
    bit spent;                  /* ALONE, OPENING: the next term was a session's */
    bit wokeLate;               /* ENTERING */
    bit contact;                /* GOING_ALONE: the backup said hello since */
    unsigned seen : 4;          /* WAITING: term of the record that is waited on, or 0 */
    bit overdue;                /* WAITING: for longer than the activation deadline */

    unsigned step : 2;          /* of the inquiry */
    unsigned want : 2;          /* phase that the record is to have, or 0 */
    unsigned expect : 4;        /* term of the record that is to be changed */
    unsigned id : 2;            /* of the request */
    bit mayLand;                /* an attempt ended with unknown outcome */
    unsigned answer : 2;
    Record got;

    bit guest;
    bit runs;                   /* and is not paused */
    bit flows;                  /* what it sends leaves at once */
    bit contains;               /* the guest's state knows that it sent the frame */
    bit held;                   /* the frame waits here */

    unsigned imageEpoch : 2;    /* backup: last whole checkpoint, or 0 */
    bit imageContains;          /* that checkpoint's guest had sent the frame */
    bit imageMixed;             /* a part of another checkpoint was applied to it */

    bit intactGuest;            /* for the invariants: no fault destroyed the guest */
    unsigned intactImage : 4;   /* the same: session of an image that no fault destroyed */
    bit wokeBeside              /* the same: woke while the other was the owner */
}

/* What a primary has put on its way to its backup; stays in socket buffers when the primary dies. */
typedef Wire {
    unsigned term : 4;          /* the session's */
    bit offer;
    unsigned sealed : 2;        /* checkpoints sent */
    unsigned sentIn : 3;        /* the frame is in checkpoints from this epoch on */
    bit signOff;
    unsigned hello : 2;
    unsigned helloEpoch : 2
}

/* A set that its host has given up and that may land yet. Both expect the record of now, or can't land any more. */
typedef Late { unsigned phase1 : 2; unsigned id1 : 2; unsigned phase2 : 2; unsigned id2 : 2 }

Record record;
Host h[2];
Wire w[2];                      /* by primary */
Late late[2];
byte acks[ALL];                 /* by session: acknowledged by the backup, to be read at any time or never */
bit sent;                       /* the frame was chosen */
bit released;                   /* a client has seen it */
byte harm;
bit calm;                       /* PROGRESS: faults have ended */
bit over;                       /* PROGRESS: and all has taken its course */

/* For the invariants. */
byte whole[ALL];                /* by session: epochs that were whole on the backup */
short granted;                  /* terms, a bit each */

/* Within one step, and 0 between them. */
byte basis;              /* the record that is to be changed */
byte found;              /* what became of the inquiry */

#define me      h[i]
#define other   h[1 - i]

/* ---- The arbiter */

#define may_change (record.term < TERMS || calm)

inline change(host, newPhase, newId) {
    record.term = record.term + 1;
    record.owner = host;
    record.phase = newPhase;
    record.id = newId;
    assert(record.term <= TERMS + ROOM);
    assert(!(granted & (1 << record.term)));            /* a term is granted twice */
    granted = granted | (1 << record.term);
    late[0].phase1 = 0; late[0].id1 = 0; late[0].phase2 = 0; late[0].id2 = 0;
    late[1].phase1 = 0; late[1].id1 = 0; late[1].phase2 = 0; late[1].id2 = 0
}

inline tell(i) {
    me.answer = SAW;
    me.got.term = record.term; me.got.owner = record.owner; me.got.phase = record.phase;
    me.got.id = (me.want -> record.id : 0)
}

inline arbitrate(i) {
    if
    :: me.step == READING -> tell(i)
#ifdef FAULT_ARBITER_WITHOUT_COMPARE
    :: me.step == SETTING ->
        record.term = me.expect;
        change(i, me.want, me.id); me.answer = DONE
#else
    :: me.step == SETTING && me.expect == record.term -> change(i, me.want, me.id); me.answer = DONE
    :: me.step == SETTING && me.expect != record.term -> tell(i)
#endif
    fi
}

/* ---- A host's inquiry: pursued until the arbiter has decided */

inline noted(i) { me.answer = 0; me.got.term = 0; me.got.owner = 0; me.got.phase = 0; me.got.id = 0 }

/* A set that is on its way stays so; its answer means nothing any more. */
inline give_up(i) {
    if
    :: me.step == SETTING && me.answer == 0 && me.expect == record.term ->
        if
        :: (late[i].phase1 == me.want && late[i].id1 == me.id) ||
           (late[i].phase2 == me.want && late[i].id2 == me.id) -> skip
        :: else ->
            if
            :: late[i].phase1 == 0 -> late[i].phase1 = me.want; late[i].id1 = me.id
            :: late[i].phase1 != 0 && late[i].phase2 == 0 -> late[i].phase2 = me.want; late[i].id2 = me.id
            :: else -> skip                     /* a third one is lost for good */
            fi
        fi
    :: else -> skip
    fi;
    me.step = IDLE;
    noted(i)
}

inline forget(i) {
    me.step = IDLE; me.want = 0; me.expect = 0; me.id = 0; me.mayLand = 0
}

inline ask_nothing(i) { give_up(i); forget(i) }

inline ask_read(i) { give_up(i); forget(i); me.step = READING }

#define id_in_use(x) ((record.owner == i && record.id == (x)) \
    || (late[i].phase1 && late[i].id1 == (x)) || (late[i].phase2 && late[i].id2 == (x)))

/* The request's id differs from that of each other request of this host that may still be seen. */
inline ask_set(i, on, phase) {
    basis = on;
    give_up(i); forget(i);
    me.expect = basis; basis = 0;
    do
    :: id_in_use(me.id) -> me.id = me.id + 1
    :: else -> break
    od;
    me.step = SETTING; me.want = phase
}


/* Sets found, and me.got to the record that was seen or granted. */
inline conclude(i) {
    found = SEEN;
    if
    :: me.answer == DONE ->
        found = GRANTED;
        me.got.term = me.expect + 1; me.got.owner = i; me.got.phase = me.want; me.got.id = me.id
    :: me.answer == SAW && me.step == READING && me.want && me.got.term == me.expect ->
        found = PENDING;                        /* unchanged proves nothing: the same request again */
        noted(i);
        me.step = SETTING
#ifndef FAULT_OWN_REQUEST_UNKNOWN
    :: me.answer == SAW && me.want && me.got.owner == i && me.got.id == me.id && me.got.term != me.expect ->
        found = GRANTED
#endif
    :: else -> skip
    fi;
    if
    :: found != PENDING -> me.answer = 0; forget(i)
    :: else -> skip
    fi
}

/* ---- Output */

inline flow(i) {
    me.flows = 1;
    me.wokeBeside = 0;
    if
    :: me.held -> me.held = 0; released = 1
    :: else -> skip
    fi
}

inline release(i, epoch) {
    if
    :: me.held && w[i].sentIn <= epoch ->
        assert(whole[me.session] >= w[i].sentIn);       /* what leaves was never whole on the backup */
        assert(record.term >= me.session);              /* a commit counts before the record names the backup */
        assert(!me.wokeBeside);                         /* a woken host releases beside the owner */
        me.held = 0; released = 1
    :: else -> skip
    fi
}

inline discard(i) { me.flows = 0; me.held = 0 }

/* ---- The host that has the VM */

/* What neither side can take any more. */
inline tidy(p) {
    if
    :: w[p].term && !w[p].offer && h[p].session != w[p].term && h[1 - p].session != w[p].term ->
        w[p].term = 0; w[p].sealed = 0; w[p].sentIn = 0; w[p].signOff = 0
    :: else -> skip
    fi
}

inline end_session(i) {
    me.session = 0; me.acked = 0; me.contact = 0; me.wokeLate = 0;
    w[i].hello = 0; w[i].helloEpoch = 0;
    tidy(i)
}

inline kill_guest(i) {
    discard(i); end_session(i);
    me.guest = 0; me.runs = 0; me.contains = 0; me.rec = 0; me.spent = 0; me.seen = 0; me.overdue = 0;
    me.role = NOTHING; me.wokeBeside = 0
}

/* The backup may come back meanwhile. */
inline go_alone(i) { ask_set(i, me.rec, BE_ALONE); me.role = GOING_ALONE; me.contact = 0; me.wokeLate = 0; me.rec = 0 }

/* No commit counts any more. */
inline abandon(i) { go_alone(i); end_session(i) }

inline ask_own(i) {
    end_session(i);
    me.flows = 0; me.spent = 0; me.rec = 0;
    ask_set(i, me.got.term, BE_ALONE);
    me.role = GOING_ALONE
}

inline be_alone(i) {
    me.role = ALONE; me.rec = me.got.term; me.spent = 0; me.seen = 0; me.overdue = 0;
    end_session(i);
    me.runs = 1;
    flow(i)
}

inline fence(i) {
    discard(i);
    me.runs = 0;
    end_session(i);
    me.rec = 0; me.spent = 0; me.seen = 0; me.overdue = 0;
    me.role = WAITING
}

/* The loser looks at the record in me.got. */
inline judge(i) {
    if
    :: me.got.owner == i && me.got.phase == BE_ALONE ->
        me.seen = me.got.term; me.overdue = 0;
        ask_set(i, me.seen, BE_ALONE)
#ifdef FAULT_LOSER_KILLS_AT_ONCE
    :: me.got.owner != i -> kill_guest(i)
#elif defined(FAULT_TAKE_BACK_WHAT_RUNS)
    :: me.got.owner != i && me.got.phase != BE_ACTIVATING ->
        me.seen = me.got.term;
        ask_set(i, me.seen, BE_ALONE)
#else
    :: me.got.owner != i && me.got.phase != BE_ACTIVATING -> kill_guest(i)
#endif
    :: else ->
        if
        :: me.got.term == me.seen && me.overdue -> ask_set(i, me.seen, BE_ALONE)
        :: else ->
            if
            :: me.got.term != me.seen -> me.overdue = 0
            :: else -> skip
            fi;
            me.seen = me.got.term;
            ask_read(i)
        fi
    fi
}

inline unexpected(i) {
    if
    :: me.got.owner != i -> fence(i); judge(i)
    :: else -> ask_own(i)
    fi
}

inline start_session(i) {
    me.role = SYNCHRONIZING;
    me.session = me.rec + 1;
    me.acked = 0;
    w[i].term = me.session; w[i].offer = 1; w[i].sealed = 0; w[i].signOff = 0; w[i].hello = 0; w[i].helloEpoch = 0;
    w[i].sentIn = (me.contains -> 0 : EPOCHS + 2)
}

inline primary_answered(i) {
    if
    :: me.role == OPENING ->
        if
        :: found == GRANTED -> me.rec = me.got.term; me.spent = 0; start_session(i)
        :: found == SEEN && me.got.term == me.rec && !me.spent -> start_session(i)
        :: found == SEEN && me.got.term != me.rec && me.got.owner == i && me.got.phase == BE_ALONE ->
            me.rec = me.got.term; me.spent = 1;
            ask_set(i, me.rec, BE_ALONE)
        :: else -> unexpected(i)
        fi
    :: me.role == ENTERING ->
        if
        :: found == GRANTED ->
            me.rec = me.got.term;
            if
            :: me.wokeLate -> me.wokeLate = 0; me.role = WOKEN; w[i].hello = ASKED; w[i].helloEpoch = 0; ask_read(i)
            :: else -> me.role = PROTECTED; release(i, me.acked)
            fi
        :: else -> unexpected(i)
        fi
    :: me.role == WOKEN ->
        if
        :: me.got.term == me.rec -> me.role = PROTECTED; release(i, me.acked)
        :: else -> unexpected(i)
        fi
    :: me.role == LEAVING ->
        if
        :: me.got.term == me.rec -> w[i].signOff = 1
        :: else -> unexpected(i)
        fi
    :: me.role == GOING_ALONE ->
        if
        :: found == GRANTED -> be_alone(i)
#ifdef FAULT_REFUSAL_IS_LOSS
        :: found == SEEN && me.got.owner == i && me.got.term > 1 -> kill_guest(i)
#endif
#ifdef FAULT_RESTART_TRUSTS_RECORD
        :: found == SEEN && me.got.owner == i && !me.session -> be_alone(i)
#endif
        :: else -> unexpected(i)
        fi
    :: me.role == BEQUEATHING -> end_session(i); me.rec = 0; me.role = NOTHING
    :: me.role == WAITING ->
        if
        :: found == GRANTED -> be_alone(i)
        :: else -> judge(i)
        fi
    fi
}

/* With the backup back and no request that might still be granted, the VM is as protected as it was. */
inline settle(i) {
    if
    :: me.session && me.contact && me.step == REFUSED && !me.mayLand ->
        me.rec = me.expect; me.contact = 0;
        ask_nothing(i);
        me.role = PROTECTED
    :: else -> skip
    fi
}

inline acknowledged(i, epoch) {
    if
    :: epoch > me.acked -> me.acked = epoch
    :: else -> skip
    fi;
    if
    :: me.role == JOINING ->
        me.role = ENTERING;
#ifdef FAULT_FLOW_UNTIL_ACKNOWLEDGED
        me.flows = 0;
#endif
        ask_set(i, me.rec, BE_PROTECTED)
    :: me.role == PROTECTED || me.role == LEAVING || (me.role == GOING_ALONE && me.contact) -> release(i, me.acked)
#ifdef FAULT_RELEASE_BEFORE_PROTECTED
    :: me.role == ENTERING -> release(i, me.acked)
#endif
    :: else -> skip
    fi
}

inline reconnected(i) {
    if
    :: me.role == WOKEN -> ask_nothing(i); me.role = PROTECTED
    :: me.role == GOING_ALONE -> me.contact = 1
    :: else -> skip
    fi;
    acknowledged(i, w[i].helloEpoch);
    w[i].hello = 0; w[i].helloEpoch = 0;
    if
    :: me.role == GOING_ALONE -> settle(i)
    :: else -> skip
    fi
}

inline backup_lost(i) {
    if
    :: me.role == SYNCHRONIZING ->
        end_session(i);
        me.role = ALONE;
#ifndef FAULT_REUSE_TERM
        me.spent = 1
#else
        skip
#endif
#ifdef FAULT_GIVEN_UP_SESSION_FLOWS
    :: me.role == JOINING || me.role == ENTERING ->
        ask_nothing(i); end_session(i); me.role = ALONE; me.spent = 1; flow(i)
#else
    :: me.role == JOINING || me.role == ENTERING -> abandon(i)
#endif
#ifdef FAULT_ALONE_WITHOUT_RECORD
    :: me.role == PROTECTED -> go_alone(i); flow(i)
#else
    :: me.role == PROTECTED -> go_alone(i)
#endif
    :: me.role == WOKEN || me.role == LEAVING -> go_alone(i)
    :: me.role == GOING_ALONE -> me.contact = 0
    fi
}

/* This host was not running for longer than the detection time. */
inline woke(i) {
    me.wokeBeside = other.flows;
#ifndef FAULT_WAKE_WITHOUT_ASKING
    if
    :: me.role == ENTERING -> me.wokeLate = 1
    :: me.role == PROTECTED || me.role == WOKEN ->
        me.role = WOKEN; w[i].hello = ASKED; w[i].helloEpoch = 0;
        ask_read(i)
#ifdef FAULT_WAKE_TRUSTS_OLD_HELLO
    :: me.role == LEAVING -> go_alone(i)
#else
    :: me.role == LEAVING -> go_alone(i); w[i].hello = ASKED; w[i].helloEpoch = 0
#endif
    :: me.role == GOING_ALONE && me.session -> me.contact = 0; w[i].hello = ASKED; w[i].helloEpoch = 0
    :: else -> skip
    fi
#endif
}

inline seal(i) {
    if
    :: me.role == SYNCHRONIZING ->
        me.role = JOINING;
#ifndef FAULT_FLOW_UNTIL_ACKNOWLEDGED
        me.flows = 0
#else
        skip
#endif
    :: else -> skip
    fi;
    w[i].sealed = w[i].sealed + 1;
#ifdef FAULT_RELEASE_BEFORE_ACKNOWLEDGED
    if
    :: me.role == PROTECTED && me.held -> me.held = 0; released = 1
    :: else -> skip
    fi
#endif
}

inline send_frame(i) {
    sent = 1;
    me.contains = 1;
    w[i].sentIn = w[i].sealed + 1;
    if
    :: me.flows -> released = 1
    :: else -> me.held = 1
    fi
}

/* ---- The host that backs the VM up */

inline drop(i) {
    ask_nothing(i);
    me.role = NOTHING; me.session = 0; me.rec = 0; me.imageEpoch = 0; me.imageContains = 0; me.imageMixed = 0;
    tidy((1 - i))
}

inline drop_guest(i) { discard(i); me.guest = 0; me.runs = 0; me.contains = 0; drop(i) }

inline accept(i) {
    drop(i);
    me.contains = 0;
    me.role = RECEIVING; me.session = w[1 - i].term;
    me.intactImage = 0
}

inline load(i) {
    assert(me.imageEpoch > 0 && !me.imageMixed);        /* what is activated is not whole */
    me.role = ACTIVATING;
    me.contains = me.imageContains
}

inline checkpoint_whole(i) {
    me.imageEpoch = me.imageEpoch + 1;
    me.imageContains = (w[1 - i].sentIn <= me.imageEpoch);
    me.imageMixed = 0;
    whole[me.session] = me.imageEpoch;
    me.intactImage = me.session;
    acks[me.session] = me.imageEpoch;
    if
    :: me.role == RECEIVING -> me.role = STANDING
    :: else -> skip
    fi
}

inline primary_lost(i) {
    if
    :: me.role == RECEIVING -> drop(i)
#ifdef FAULT_ACTIVATE_WITHOUT_RECORD
    :: me.role == STANDING -> me.rec = me.session + 1; load(i)
#else
    :: me.role == STANDING -> me.role = CHECKING; ask_read(i)
#endif
    fi
}

inline backup_answered(i) {
    if
    :: me.role == CHECKING ->
        if
#ifdef FAULT_DROP_ON_OLDER_RECORD
        :: me.got.term < me.session -> drop(i)
#else
        :: me.got.term < me.session -> ask_read(i)    /* not yet protected: the request may be on its way */
#endif
#ifdef FAULT_STALE_BACKUP_ACTIVATES
        :: me.got.term >= me.session && me.got.owner != i ->
#else
        :: me.got.term == me.session && me.got.phase == BE_PROTECTED && me.got.owner != i ->
#endif
            me.role = REQUESTING;                       /* from here on it acknowledges nothing */
            ask_set(i, me.got.term, BE_ACTIVATING)
        :: else -> drop(i)
        fi
    :: me.role == REQUESTING ->
        if
        :: found == GRANTED -> me.rec = me.got.term; load(i)
        :: else -> drop(i)
        fi
    :: me.role == ACTIVATING ->
        if
        :: me.got.owner == i -> skip
        :: else -> drop_guest(i)
        fi
    :: me.role == CONFIRMING ->
        if
        :: found == GRANTED -> drop(i); be_alone(i)
        :: found == SEEN && me.got.owner == i -> me.rec = me.got.term; ask_set(i, me.rec, BE_ALONE)
        :: else -> drop_guest(i)
        fi
    fi
}

/* ---- What the host's own timers and the network may bring about */

#define is_backup(x)    ((x) >= RECEIVING)
#define in_session      (me.session && !is_backup(me.role) && me.role != BEQUEATHING)
#define acknowledges    (me.role == RECEIVING || me.role == STANDING || me.role == CHECKING)

/* In reality, and while faults happen, a host may suspect the other one without reason. */
#define backup_stands_by (other.session == me.session \
    && (other.role == RECEIVING || other.role == STANDING || other.role == CHECKING))
#define may_suspect_backup  (!calm || (!backup_stands_by && !w[i].offer))
#define may_suspect_primary (!calm || other.session != me.session || is_backup(other.role) || other.role == BEQUEATHING)

#ifdef FAULT_PAUSED_OWNER_WAITS
#define may_be_overdue  (record.phase != BE_PROTECTED && (!calm || record.term == me.seen))
#else
#define may_be_overdue  (!calm || record.term == me.seen)
#endif

inline crash(i) {
    ask_nothing(i);
    kill_guest(i);
    me.imageEpoch = 0; me.imageContains = 0; me.imageMixed = 0;
    w[1 - i].offer = 0; w[1 - i].signOff = 0;
    me.intactGuest = 0; me.intactImage = 0
}

proctype host(bit i) {
end:
    do
    /* the arbiter's answer, or none, and the next attempt */
    :: d_step { me.answer && !is_backup(me.role) ->
#ifdef FAULT_UNCHANGED_IS_REFUSED
        if
        :: me.role == ENTERING && me.step == READING && me.got.term == me.expect ->
            ask_nothing(i); end_session(i); me.role = ALONE; me.spent = 1; flow(i);
            found = PENDING
        :: else -> conclude(i)
        fi;
#else
        conclude(i);
#endif
        if
        :: found != PENDING -> primary_answered(i); noted(i); found = 0
        :: else -> skip
        fi }
    :: d_step { me.answer && is_backup(me.role) ->
        conclude(i);
        if
        :: found != PENDING -> backup_answered(i); noted(i); found = 0
        :: else -> skip
        fi }
    :: d_step { !calm && me.step == SETTING ->                                   /* unknown outcome: reads */
        give_up(i);
        me.mayLand = 1;
        me.step = READING }
    :: d_step { !calm && me.step == SETTING && !me.answer ->                     /* refused for no reason: not now */
        me.step = REFUSED;
        if
        :: me.role == GOING_ALONE -> settle(i)
        :: else -> skip
        fi }
    :: d_step { me.step == REFUSED -> me.step = READING }
    :: d_step { !calm && me.role == LEAVING && me.step == READING ->             /* the arbiter can't be asked */
        ask_nothing(i);
        me.role = PROTECTED }

    /* the VM */
    :: d_step { !sent && me.guest && me.runs -> send_frame(i) }
    :: d_step { in_session && me.runs && w[i].sealed < EPOCHS &&
            (me.role == SYNCHRONIZING || (w[i].sealed > 0 && w[i].sealed - me.acked < 2)) -> seal(i) }

    /* an operator */
    :: d_step { !calm && me.role == ALONE && record.term < TERMS ->
        me.role = OPENING;
        if
        :: me.spent -> ask_set(i, me.rec, BE_ALONE)
        :: else -> ask_read(i)
        fi }
    :: d_step { !calm && me.role == PROTECTED -> me.role = LEAVING; ask_read(i) }
    :: d_step { !calm && in_session && w[i].sealed > 0 -> fence(i); ask_read(i) } /* or the backup says it takes over */

    /* the primary's session */
    :: d_step { in_session && acks[me.session] > me.acked && w[i].sealed > 0 -> acknowledged(i, me.acked + 1) }
#ifdef FAULT_ANY_ACKNOWLEDGEMENT
    :: d_step { in_session && me.session > 2 && acks[me.session - 2] > me.acked && w[i].sealed > me.acked ->
        acknowledged(i, me.acked + 1) }
#endif
    :: d_step { !calm && in_session && w[i].sealed > 0 && !w[i].hello -> w[i].hello = ASKED }
    :: d_step { in_session && w[i].hello == WELCOMED -> reconnected(i) }
    :: d_step { in_session && may_suspect_backup && (me.role != GOING_ALONE || me.contact) -> backup_lost(i) }
    :: d_step { !calm && in_session && me.role >= ENTERING -> woke(i) }
    :: d_step { me.role == WAITING && me.seen && !me.overdue && me.step == READING && !me.answer && !me.want && may_be_overdue ->
        me.overdue = 1 }

    /* the backup's session */
    :: d_step { w[1 - i].offer ->
        w[1 - i].offer = 0;
        if
        :: me.role == NOTHING -> accept(i)
        :: is_backup(me.role) && me.role < ACTIVATING && w[1 - i].term > me.session -> accept(i)
        :: me.role == ACTIVATING && w[1 - i].term > me.rec + 1 -> accept(i)
        :: else -> skip                                                          /* refused */
        fi }
    :: d_step { acknowledges && me.session == w[1 - i].term && me.imageEpoch < w[1 - i].sealed ->
        checkpoint_whole(i) }
#ifdef FAULT_ACKNOWLEDGE_BEFORE_WHOLE
    :: d_step { acknowledges && me.session == w[1 - i].term && me.imageEpoch < w[1 - i].sealed ->
        acks[me.session] = me.imageEpoch + 1 }
#endif
#ifdef FAULT_APPLY_PARTIAL                                                       /* the connection breaks within it */
    :: d_step { acknowledges && me.session == w[1 - i].term && me.imageEpoch < w[1 - i].sealed && me.imageEpoch > 0 ->
        me.imageMixed = 1 }
#endif
#ifdef FAULT_ACKNOWLEDGE_WHILE_ACTIVATING
    :: d_step { (me.role == REQUESTING || me.role == ACTIVATING) && me.session == w[1 - i].term &&
            acks[me.session] < w[1 - i].sealed ->
        acks[me.session] = acks[me.session] + 1; whole[me.session] = acks[me.session] }
#endif
    :: d_step { (me.role == STANDING || me.role == CHECKING) && w[1 - i].hello == ASKED && other.session == me.session ->
        w[1 - i].hello = WELCOMED; w[1 - i].helloEpoch = me.imageEpoch;
        ask_nothing(i);
        me.role = STANDING }
    :: d_step { w[1 - i].signOff ->
        w[1 - i].signOff = 0;
        if
        :: acknowledges && me.session == w[1 - i].term -> me.intactImage = 0; drop(i)
        :: else -> skip
        fi }
    :: d_step { (me.role == RECEIVING || me.role == STANDING) && may_suspect_primary -> primary_lost(i) }
    :: d_step { me.role == ACTIVATING ->                                         /* the standby runs */
        me.guest = 1; me.runs = 1; me.intactGuest = 1;
        me.role = CONFIRMING;
        ask_set(i, me.rec, BE_ALONE);
#if defined(FAULT_RELEASE_BEFORE_ALONE) || defined(FAULT_ACTIVATE_WITHOUT_RECORD)
        flow(i)
#endif
        }
#ifdef FAULT_FAILED_LOAD_ENDS
    :: d_step { !calm && me.role == ACTIVATING -> drop_guest(i) }
#else
    :: d_step { !calm && me.role == ACTIVATING -> ask_read(i) }                  /* loading failed: a fresh standby */
#endif

    /* harm */
    :: d_step { !calm && harm < HARM && me.role != NOTHING -> harm++; crash(i) }
    :: d_step { !calm && harm < HARM && me.guest ->                              /* the daemon is started anew */
        harm++;
        discard(i); drop(i); end_session(i);
        me.spent = 0; me.seen = 0; me.overdue = 0; me.wokeBeside = 0;
        me.intactImage = 0;
        me.role = GOING_ALONE;
        ask_read(i) }
    :: d_step { !calm && harm < HARM && me.guest ->                              /* its QEMU dies */
        harm++;
        me.intactGuest = 0;
        if
        :: me.role == CONFIRMING ->
            discard(i);
            me.guest = 0; me.runs = 0;
            load(i); ask_read(i)
        :: me.role == ENTERING ->
            discard(i);
            me.guest = 0; me.runs = 0; me.contains = 0; w[i].hello = 0; w[i].helloEpoch = 0; me.wokeLate = 0;
            me.role = BEQUEATHING
        :: else -> ask_nothing(i); kill_guest(i)
        fi }
    od
}

/* To read an unchanged record again and again is left out where everything is to come to an end. */
#define worth_asking(i) (!calm || h[i].want || \
    (h[i].role == CHECKING && record.term >= h[i].session) || \
    (h[i].role == WAITING && (h[i].overdue || record.term != h[i].seen)) || \
    (h[i].role != CHECKING && h[i].role != WAITING))
#define asks(i) (h[i].answer == 0 && ((h[i].step == READING && worth_asking(i)) || \
    (h[i].step == SETTING && (may_change || h[i].expect != record.term))))

proctype arbiter() {
    bit i;
end:
    do
    :: d_step { asks(0) -> i = 0; arbitrate(i) }
    :: d_step { asks(1) -> i = 1; arbitrate(i); i = 0 }
    /* requests that were given up */
    :: d_step { late[0].phase1 && may_change -> change(0, late[0].phase1, late[0].id1) }
    :: d_step { late[0].phase2 && may_change -> change(0, late[0].phase2, late[0].id2) }
    :: d_step { late[1].phase1 && may_change -> change(1, late[1].phase1, late[1].id1) }
    :: d_step { late[1].phase2 && may_change -> change(1, late[1].phase2, late[1].id2) }
    od
}

/* ---- What must hold after each step */

#define lost_by(i) (h[i].flows && released && !h[i].contains)

/* The image that may be, or is being, activated. */
#define ready(i)        (h[i].imageEpoch && (h[i].role == ACTIVATING || h[i].role == CONFIRMING \
                            -> h[i].contains : h[i].imageContains))
#define image_lacks(i, term) (h[i].session == term && h[i].imageEpoch && released && !ready(i))

#define image_may_lack  ((record.phase == BE_PROTECTED && image_lacks((1 - record.owner), record.term)) || \
    (record.phase == BE_ACTIVATING && image_lacks(record.owner, record.term - 1)))

/* Whatever no fault has destroyed of the copies that the record allows to run. */
#define left_guest(i)   (h[i].intactGuest)
#define left_image(i, term) (h[i].intactImage == (term))
#define has_guest(i)    (h[i].guest)
#define has_image(i, term) (h[i].session == (term) && h[i].imageEpoch)

#define o (record.owner)
#define b (1 - record.owner)
#define duty \
    (  (record.phase == BE_ALONE      && left_guest(o)) \
    || (record.phase == BE_PROTECTED  && (left_guest(o) || left_image(b, record.term))) \
    || (record.phase == BE_ACTIVATING && (left_guest(b) || left_guest(o) || left_image(o, record.term - 1))))
#define kept \
    (  (record.phase == BE_ALONE      && has_guest(o)) \
    || (record.phase == BE_PROTECTED  && (has_guest(o) || has_image(b, record.term))) \
    || (record.phase == BE_ACTIVATING && (has_guest(b) || has_guest(o) || has_image(o, record.term - 1))))
#define serves(i) (h[i].guest && h[i].runs && (h[i].flows \
    || (h[i].role == PROTECTED && h[1 - i].role == STANDING && h[1 - i].session == h[i].session)))

proctype invariants() {
end:
    if
    :: atomic { h[0].flows && h[1].flows -> assert(false) }              /* two owners */
    :: atomic { lost_by(0) || lost_by(1) -> assert(false) }              /* a client saw what the VM lacks */
    :: atomic { image_may_lack -> assert(false) }                        /* a client saw what the image lacks */
    :: atomic { duty && !kept -> assert(false) }                         /* the VM is on neither side */
    /* Not violations: what the model has to be able to do for the rest to mean anything. */
#ifdef WITNESS_TAKEN_OVER
    :: atomic { h[1].flows && h[1].contains && released && h[0].role == WAITING -> assert(false) }
#endif
#ifdef WITNESS_TAKEN_BACK
    :: atomic { h[0].role == ALONE && h[1].role == CONFIRMING && record.owner == 0 && h[0].rec > h[1].rec -> assert(false) }
#endif
#ifdef WITNESS_LATE_REQUEST
    :: atomic { h[0].role == GOING_ALONE && record.phase == BE_PROTECTED && h[0].expect + 1 == record.term &&
            h[1].role == STANDING -> assert(false) }
#endif
#ifdef WITNESS_LATE_RELEASE
    :: atomic { h[1].flows && h[0].role == PROTECTED && released && w[0].sentIn == 2 -> assert(false) }
#endif
#ifdef PROGRESS
    :: atomic { calm && timeout -> 
            assert(!duty || serves(0) || serves(1));                     /* faults have ended, and nobody serves the VM */
            over = 1 }
#endif
    fi
}

#ifdef PROGRESS
proctype faults_end() { d_step { calm = 1 } }
ltl settles { [] (calm -> <> over) }
#endif

init {
    d_step {
        record.term = 1; record.owner = 0; record.phase = BE_ALONE; granted = 2;
        h[0].role = ALONE; h[0].rec = 1; h[0].guest = 1; h[0].runs = 1; h[0].flows = 1;
        h[0].intactGuest = 1
    };
    atomic {
        run host(0); run host(1); run arbiter(); run invariants();
#ifdef PROGRESS
        run faults_end()
#endif
    }
}
