package acs

import (
	"strings"

	"github.com/anteroom/anteroom/event/eventpb"
	"github.com/anteroom/anteroom/ingest/label"
)

// ThreadCallPrefix begins the call id of chat events: what follows is the meeting id that CallStarted has for the same thread.
// A chat record names its thread and no call, and a meeting's chat goes on between its calls.
const ThreadCallPrefix = "thread_"

var chatOperations = words("SendChatMessage", "GetChatMessage", "ListChatMessages", "UpdateChatMessage", "DeleteChatMessage",
	"SendTypingNotification", "SendChatReadReceipt", "SendReadReceipt", "ListChatReadReceipts", "ListReadReceipts",
	"AddChatParticipant", "AddChatParticipants", "RemoveChatParticipant", "ListChatParticipants", "CreateChatThread",
	"DeleteChatThread", "GetChatThread", "GetChatThreadProperties", "ListChatThreads", "UpdateChatThread",
	"UpdateChatThreadProperties", "UpdateChatThreadTopic")

// decodeChat makes what happened to a message or in a thread. Sender and message are named by pseudonyms that hold within the thread.
func decodeChat(r *record) {
	thread := r.meeting("ChatThreadId")
	if thread == "" {
		r.skip = SkipNoThread
		return
	}
	r.call = ThreadCallPrefix + thread
	chat := &eventpb.Chat{
		ParticipantId: r.participantOf(r.id("UserId")),
		Operation:     chatOperations.of(strings.ReplaceAll(r.text("operationName"), " ", "")),
		ResultCode:    r.code("resultSignature"),
	}
	chat.Act = r.chatAct(chat)
	if id := r.id("ChatMessageId"); id != "" {
		chat.MessageId = r.opt.Pseudonyms.ID(label.Message, r.call, id)
	}
	r.emit(&eventpb.Event{Payload: &eventpb.Event_Chat{Chat: chat}})
}

// chatAct is what became of a message. A request that failed did nothing to it.
func (r *record) chatAct(chat *eventpb.Chat) eventpb.Chat_Act {
	refused := chat.ResultCode != 0 && (chat.ResultCode < 200 || chat.ResultCode > 299)
	if refused || strings.EqualFold(r.text("resultType"), "failed") {
		return eventpb.Chat_ACT_OTHER
	}
	switch chat.Operation {
	case "SendChatMessage":
		return eventpb.Chat_ACT_SENT
	case "UpdateChatMessage":
		return eventpb.Chat_ACT_EDITED
	case "DeleteChatMessage":
		return eventpb.Chat_ACT_DELETED
	}
	return eventpb.Chat_ACT_OTHER
}
