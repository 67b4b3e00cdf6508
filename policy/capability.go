package policy

// Capability names one thing that a participant may or may not do. The set is closed; names follow those of the Calling SDK where it has one.
type Capability string

// The capabilities.
const (
	UnmuteMic           Capability = "unmuteMic"
	TurnVideoOn         Capability = "turnVideoOn"
	ShareScreen         Capability = "shareScreen"
	ReceiveMedia        Capability = "receiveMedia"
	SendChat            Capability = "sendChat"
	ReceiveChat         Capability = "receiveChat"
	EditChat            Capability = "editChat"
	DeleteChat          Capability = "deleteChat"
	SendTyping          Capability = "sendTyping"
	SendReadReceipts    Capability = "sendReadReceipts"
	ReplyChat           Capability = "replyChat"
	ReactChat           Capability = "reactChat"
	ShareFile           Capability = "shareFile"
	AddParticipant      Capability = "addParticipant"
	RemoveParticipant   Capability = "removeParticipant"
	MuteOthers          Capability = "muteOthers"
	ManageLobby         Capability = "manageLobby"
	HangUpForEveryone   Capability = "hangUpForEveryone"
	StartRecording      Capability = "startRecording"
	StartTranscription  Capability = "startTranscription"
	BackgroundEffect    Capability = "backgroundEffect"
	UseReactions        Capability = "useReactions"
	RaiseHand           Capability = "raiseHand"
	UsePolls            Capability = "usePolls"
	UseQuestionsAnswers Capability = "useQuestionsAndAnswers"
	TogetherMode        Capability = "togetherMode"
	BreakoutRooms       Capability = "breakoutRooms"
	SlidesLive          Capability = "slidesLive"
	ClosedCaptions      Capability = "closedCaptions"
)

// Description says what the capability is, as documentation and screens have it; "" if there is no such capability.
func (c Capability) Description() string {
	return map[Capability]string{
		UnmuteMic: "Send audio", TurnVideoOn: "Send video from a camera", ShareScreen: "Share a screen", ReceiveMedia: "Hear and see others",
		SendChat: "Write chat messages", ReceiveChat: "Read the chat", EditChat: "Edit one's own chat messages",
		DeleteChat: "Delete one's own chat messages", SendTyping: "Show that one is typing", SendReadReceipts: "Show what one has read",
		ReplyChat: "Reply to a chat message", ReactChat: "React to a chat message", ShareFile: "Share a file in the chat",
		AddParticipant: "Add others to the meeting", RemoveParticipant: "Remove others from the meeting", MuteOthers: "Mute others",
		ManageLobby: "Admit or reject those who wait", HangUpForEveryone: "End the meeting for everybody", StartRecording: "Record the meeting",
		StartTranscription: "Transcribe the meeting", BackgroundEffect: "Blur or replace one's background", UseReactions: "Send reactions",
		RaiseHand: "Raise one's hand", UsePolls: "Answer polls", UseQuestionsAnswers: "Ask and answer questions",
		TogetherMode: "Sit in the together scene", BreakoutRooms: "Join breakout rooms", SlidesLive: "See live slides",
		ClosedCaptions: "See closed captions",
	}[c]
}

// Capabilities returns all of them, in the order that documentation and screens use.
func Capabilities() []Capability {
	return []Capability{
		UnmuteMic, TurnVideoOn, ShareScreen, ReceiveMedia,
		SendChat, ReceiveChat, EditChat, DeleteChat, SendTyping, SendReadReceipts, ReplyChat, ReactChat, ShareFile,
		AddParticipant, RemoveParticipant, MuteOthers, ManageLobby, HangUpForEveryone,
		StartRecording, StartTranscription, BackgroundEffect,
		UseReactions, RaiseHand, UsePolls, UseQuestionsAnswers, TogetherMode, BreakoutRooms, SlidesLive, ClosedCaptions,
	}
}
