"""Which handler applies which transaction."""

from envision_worker.ensono.messages import (
    ApprovalRequest,
    Attachment,
    Closure,
    Create,
    Notes,
    Redraft,
    ReturnEnsonoNum,
    Transaction,
    Update,
)
from envision_worker.handlers import (
    approval_request,
    attachment,
    closure,
    create,
    notes,
    redraft,
    return_ensono_num,
    update,
)
from envision_worker.handlers.work import Work
from envision_worker.outcome import Applied, DeadLetter


async def apply(work: Work, transaction: Transaction) -> Applied | DeadLetter:
    """Apply a transaction to the desk.

    Raises:
        PeerError, StillUnknown: it is to be tried again, or the desk refused it for good.
        MalformedMessage: the handler needs what the message lacks.
    """
    match transaction:
        case Create():
            return await create.apply(work, transaction)
        case Update():
            return await update.apply(work, transaction)
        case Notes():
            return await notes.apply(work, transaction)
        case Closure():
            return await closure.apply(work, transaction)
        case Attachment():
            return await attachment.apply(work, transaction)
        case Redraft():
            return await redraft.apply(work, transaction)
        case ReturnEnsonoNum():
            return await return_ensono_num.apply(work, transaction)
        case ApprovalRequest():
            return await approval_request.apply(work, transaction)
        case _:
            raise TypeError(f"no handler for {type(transaction).__name__}")
