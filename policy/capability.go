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
